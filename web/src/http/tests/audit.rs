//! The audit as those read it who must know who did what.

use ringback_store::AuditSearch;

use super::*;
use crate::evidence;

#[tokio::test]
async fn sign_ins_good_and_bad_are_in_the_chain_of_their_county() {
    let world = World::new().await;
    world.sign_in(OPEN, Role::Agent).await;
    let agent = user_id(OPEN, Role::Agent);
    let wrong = world.post("/api/v1/login", json!({ "user": agent, "password": "wrong" })).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let unknown = world.post("/api/v1/login", json!({ "user": "hunter2", "password": "x" })).await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
    let rows = async |tenant: Option<&str>| {
        let tenant = tenant.map(TenantId::new);
        let rows = world.app.store.audit_rows(tenant.as_ref(), &AuditSearch::default(), 50).await.unwrap();
        rows.into_iter().map(|row| format!("{} {}", row.entry.what, row.entry.target)).collect::<Vec<_>>()
    };
    assert_eq!(rows(Some(OPEN)).await, [format!("sign_in_failed {agent}"), format!("signed_in {agent}")]);
    // What somebody typed for a name may be a password: it is not kept.
    assert_eq!(rows(None).await, ["sign_in_failed unknown"]);
    assert_eq!(rows(Some(VOUCHED)).await, [""; 0]);
}

#[tokio::test]
async fn auditors_search_and_take_it_with_them_and_that_is_seen() {
    let world = World::new().await;
    let (auditor, admin) = (world.sign_in(OPEN, Role::Auditor).await, world.sign_in(OPEN, Role::Admin).await);
    world.post_as("/api/v1/closure", json!({ "message": "=cmd|' /C calc'!A0" }), &admin).await;
    let all = world.get_as("/api/v1/audit", &auditor).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    let who = user_id(OPEN, Role::Admin);
    let some = world.get_as(&format!("/api/v1/audit?who={who}&what=closure_declared"), &auditor).await.json();
    assert_eq!(some["items"].as_array().unwrap().len(), 1);
    assert_eq!(some["items"][0]["who"], who);
    let csv = world.get_as("/api/v1/audit/export?what=signed_in", &auditor).await;
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"audit.csv\"");
    let text = csv.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "seq,at,who,what,target,detail,hash"), "{text}");
    let json = world.get_as("/api/v1/audit/export?format=json", &auditor).await.json();
    let rows = json.as_array().unwrap();
    assert_eq!(rows[0]["what"], "audit_exported", "the export is in what is exported");
    assert_eq!(rows[0]["detail"]["what"], "");
    assert_eq!(rows.len(), 5);
    let bad = world.get_as("/api/v1/audit/export?format=xml", &auditor).await;
    assert_eq!((bad.status, bad.code().as_str()), (StatusCode::BAD_REQUEST, "bad_query"));
    let operator = world.sign_in(OPEN, Role::Operator).await;
    let own = world.get_as("/api/v1/audit", &operator).await.json();
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "the operators' chain holds no county's rows");
}

#[tokio::test]
async fn many_rows_leave_page_by_page_and_whole() {
    let world = World::new().await;
    let auditor = world.sign_in(OPEN, Role::Auditor).await;
    let tenant = TenantId::new(OPEN);
    for number in 0..1_200 {
        let entry = ringback_store::AuditEntry {
            at: world.app.now(),
            who: "system".into(),
            what: "tested".into(),
            target: number.to_string(),
            detail: json!({}),
        };
        world.app.store.audit(Some(&tenant), entry).await.unwrap();
    }
    let json = world.get_as("/api/v1/audit/export?format=json&what=tested", &auditor).await.json();
    let targets: Vec<_> =
        json.as_array().unwrap().iter().map(|row| row["target"].as_str().unwrap().to_owned()).collect();
    assert_eq!(targets, (0..1_200).rev().map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_command_says_whether_it_is_as_it_was_written() {
    let world = World::new().await;
    world.sign_in(OPEN, Role::Agent).await;
    let (report, whole) = evidence::verify(&world.app.config).await.unwrap();
    assert!(whole && report.starts_with(&format!("{OPEN}: whole, 1 rows, head ")), "{report}");
}
