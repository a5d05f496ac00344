//! What administrators set of dialling, of their portal and of single queues: in force at once, and never looser than the
//! operator's word.

use ring::rand::SystemRandom;

use super::{settings::with, *};
use crate::{counties, jws::tests as signing, portal::MAX_LIFE_SECS};

async fn asked(world: &World, tenant: &str, body: Value) -> Answer {
    world.post(&format!("/api/v1/t/{tenant}/callbacks"), body).await
}

fn ana(phone: &str) -> Value {
    json!({ "name": "Ana", "phone": phone })
}

#[tokio::test]
async fn the_gate_obeys_what_is_set_and_the_operator_bounds_it() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let read = world.get_as("/api/v1/settings", &admin).await.json();
    assert_eq!(read["bounds"]["countries"], json!(["US"]));
    assert_eq!(read["bounds"]["calls_per_day"], read["settings"]["dialling"]["calls_per_day"]);
    for (field, looser) in [
        ("countries", json!(["US", "MX"])),
        ("kinds", json!(["fixed_line", "toll_free"])),
        ("calls_per_day", json!(10_001)),
        ("agents_call_out", json!(true)),
        ("requests_per_address", json!(31)),
    ] {
        let refused = with(&world, &admin, |settings| settings["dialling"][field] = looser.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text());
        assert_eq!(refused.json()["field"], format!("dialling.{field}"));
    }
    let tightened = with(&world, &admin, |settings| {
        settings["dialling"]["requests_per_address"] = json!(2);
        settings["dialling"]["kinds"] = json!(["voip"]);
    })
    .await;
    assert_eq!(tightened.status, StatusCode::OK, "{}", tightened.text());
    assert_eq!(asked(&world, OPEN, ana("916 555 0100")).await.code(), "phone_not_allowed", "kinds hold at once");
    let reopened =
        with(&world, &admin, |settings| settings["dialling"]["kinds"] = json!(["fixed_line", "mobile"])).await;
    assert_eq!(reopened.status, StatusCode::OK, "{}", reopened.text());
    let codes = [asked(&world, OPEN, ana("916 555 0101")).await, asked(&world, OPEN, ana("916 555 0102")).await];
    assert!(codes.iter().all(|answer| answer.status == StatusCode::CREATED), "{}", codes[0].text());
    assert_eq!(asked(&world, OPEN, ana("916 555 0103")).await.code(), "rate_limited", "two an hour from one address");
    let none = with(&world, &admin, |settings| {
        settings["dialling"]["requests_per_address"] = json!(30);
        settings["dialling"]["calls_per_day"] = json!(0);
    })
    .await;
    assert_eq!(none.status, StatusCode::OK, "{}", none.text());
    // Each hour's requests come back one by one; another address has its own.
    let from_elsewhere = {
        let path = format!("/api/v1/t/{OPEN}/callbacks");
        let mut request = request(Method::POST, &path, Some(ana("916 555 0104")), &[]);
        request.extensions_mut().insert(peer("198.51.100.7"));
        world.send(request).await
    };
    assert_eq!(from_elsewhere.code(), "calls_used_up", "{}", from_elsewhere.text());
    let told = world.get_as("/api/v1/settings/versions", &admin).await.json();
    assert_eq!(told["items"][0]["differences"][0]["what"], "dialling.calls_per_day", "{told}");
}

#[tokio::test]
async fn an_operator_who_tightens_the_file_is_obeyed_at_the_next_start() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let kept = with(&world, &admin, |settings| settings["dialling"]["calls_per_day"] = json!(9_000)).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.text());
    let mut config = world.app.config.clone();
    for tenant in &mut config.tenants {
        tenant.face.bounds.dialling.calls_per_day = 7;
    }
    let config = counties::in_force(&world.app.store, config).await.unwrap();
    assert_eq!(config.tenant(&TenantId::new(OPEN)).unwrap().face.dialling.calls_per_day, 7);
}

#[tokio::test]
async fn a_founded_county_has_the_bounds_of_founded_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), "");
    config.file.founded.allowed_countries = vec![phonenumber::country::US, phonenumber::country::MX];
    config.file.founded.dialling.calls_per_day = 50;
    let world = World::of(folder, config).await;
    let operator = world.sign_in(OPEN, Role::Operator).await;
    let plan = |id: &str, calls: u32| {
        let dialling = json!({ "home": "MX", "countries": ["MX"], "kinds": ["mobile"], "calls_per_day": calls, "minutes_per_day": 10,
            "cost_per_minute": 0.5, "spend_per_day": 5.0, "agents_call_out": false, "requests_per_address": 5, "requests_per_network": 5, "requests_in_all": 5 });
        json!({ "id": id, "name": id, "timezone": "America/Mexico_City", "settings": { "callback": false, "chat": false, "hours": [], "holidays": [], "dialling": dialling } })
    };
    let refused = world.post_as("/api/v1/tenants", plan("loose", 51), &operator).await;
    assert_eq!(refused.json()["field"], "dialling.calls_per_day", "{}", refused.text());
    let made = world.post_as("/api/v1/tenants", plan("tight", 50), &operator).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let face = world.app.faces.get(&TenantId::new("tight")).unwrap();
    assert_eq!(
        (face.dialling.spend_per_day, face.phone_rules.countries.clone()),
        (5.0, vec![phonenumber::country::MX])
    );
}

#[tokio::test]
async fn administrators_bring_in_their_portals_key_and_ask_for_it_queue_by_queue() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let pair = signing::es256();
    let set = json!({ "keys": [signing::es256_jwk(&pair, "k1")] }).to_string();
    let mut secret = signing::es256_jwk(&pair, "k1");
    secret["d"] = json!("AAAA");
    for (entry, field) in [
        (json!({ "name": "County portal", "key": "no key" }), "portal_keys.0.key"),
        (json!({ "name": "County portal", "key": json!({ "keys": [secret] }).to_string() }), "portal_keys.0.key"),
        (
            json!({ "name": "County portal", "key": set, "address": "https://portal.example.gov/jwks" }),
            "portal_keys.0.key",
        ),
        (json!({ "name": "County portal", "address": "https://10.0.0.1/jwks" }), "portal_keys.0.address"),
    ] {
        let refused = with(&world, &admin, |settings| settings["portal_keys"] = json!([entry])).await;
        assert_eq!(refused.json()["field"], field, "{}", refused.text());
    }
    let changed = with(&world, &admin, |settings| {
        settings["portal_keys"] = json!([{ "name": "County portal", "key": set }]);
        settings["queues"] = json!([{ "id": "general", "name": "General" }, { "id": "cases", "name": "Cases" }]);
        let mut about = settings["subjects"][0].clone();
        (about["id"], about["name"], about["queue"]) = (json!("my-case"), json!("My case"), json!("cases"));
        settings["subjects"].as_array_mut().unwrap().push(about);
        let offers = settings["offers"].clone();
        settings["queue_rules"] = json!([{ "queue": "cases", "offer_seconds": 20, "wrap_up_seconds": 60, "auth": "required",
            "disposition": "required", "entry_mode": "callback_customer_first",
            "no_answer": offers["no_answer"], "reject": offers["reject"], "media_error": offers["media_error"] }]);
    })
    .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    let me = world.get_as("/api/v1/me", &admin).await.json();
    assert_eq!(
        (&me["tenant"]["disposition_mode"], &me["tenant"]["disposition_modes"]["cases"]),
        (&json!("optional"), &json!("required"))
    );
    assert_eq!(world.get(&format!("/api/v1/t/{OPEN}/availability")).await.json()["auth"], "optional");
    let about = |subject: &str, token: Option<String>| json!({ "name": "Ana", "phone": "916 555 0177", "subject": subject, "token": token });
    assert_eq!(asked(&world, OPEN, about("my-case", None)).await.code(), "auth_required");
    let page = world.get(&format!("/t/{OPEN}/call-me")).await.text();
    assert!(!page.contains("<option value=\"my-case\""), "without a word of the portal it is not offered");
    let claims = |jti: &str, life: i64| json!({ "aud": OPEN, "exp": world.app.now().as_millis() / 1000 + life, "jti": jti, "name": "Ana" });
    let sign = |pair: &ring::signature::EcdsaKeyPair, claims: &Value| {
        signing::token(&json!({ "alg": "ES256", "kid": "k1" }), claims, |text| {
            pair.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec()
        })
    };
    let forged = sign(&signing::es256(), &claims("one", 120));
    assert_eq!(asked(&world, OPEN, about("my-case", Some(forged))).await.code(), "token_invalid");
    let long = sign(&pair, &claims("one", MAX_LIFE_SECS + 60));
    assert_eq!(asked(&world, OPEN, about("my-case", Some(long))).await.code(), "token_invalid");
    let good = sign(&pair, &claims("one", 120));
    assert!(world.get(&format!("/t/{OPEN}/call-me?token={good}")).await.text().contains("<option value=\"my-case\""));
    let vouched = asked(&world, OPEN, about("my-case", Some(good.clone()))).await;
    assert_eq!(vouched.status, StatusCode::CREATED, "{}", vouched.text());
    assert_eq!(asked(&world, OPEN, about("my-case", Some(good))).await.code(), "token_used");
    assert_eq!(asked(&world, OPEN, json!({ "name": "Bo", "phone": "916 555 0178" })).await.status, StatusCode::CREATED);
    // Without the key nobody is vouched for by it.
    let refused = with(&world, &admin, |settings| settings["portal_keys"] = json!([])).await;
    assert_eq!(refused.status, StatusCode::OK, "the file has a key too: {}", refused.text());
    let late = sign(&pair, &claims("two", 120));
    assert_eq!(asked(&world, OPEN, about("my-case", Some(late))).await.code(), "token_invalid");
}
