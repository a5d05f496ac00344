//! Finding and hearing recordings: by range, by the right people, written down.

use ringback_routing::{
    ids::{ContactId, LegId, QueueId, RecordingId},
    output::Party,
};
use ringback_store::{RecordingRow, RecordingState};

use super::*;

/// 8 kHz mono, one second of a ramp.
fn wav() -> Vec<u8> {
    let samples: Vec<u8> = (0..8000i16).flat_map(i16::to_le_bytes).collect();
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + samples.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    wav.extend([1u16, 1].into_iter().flat_map(u16::to_le_bytes));
    wav.extend([8000u32, 16000].into_iter().flat_map(u32::to_le_bytes));
    wav.extend([2u16, 16].into_iter().flat_map(u16::to_le_bytes));
    wav.extend(b"data");
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    wav
}

/// A callback with one recorded leg.
pub(super) async fn recorded(world: &World, phone: &str) -> (ContactId, RecordingId) {
    let link = world.callback(phone).await["status_token"].as_str().unwrap().to_owned();
    let contact = world.contact_of(&link).await;
    let id = RecordingId(contact.0 + 1);
    let path = format!("{OPEN}/{id}.wav");
    let file = world.app.config.recordings_dir.join(&path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, wav()).unwrap();
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let row = RecordingRow {
        id,
        contact,
        leg: LegId(1),
        party: Party::Customer,
        agent: None,
        queue: QueueId::new("general"),
        number_key: crate::phone::number_key(&world.app.installation_key, &format!("+1{digits}")),
        number_last4: digits[digits.len() - 4..].to_owned(),
        path,
        node: "node1".to_owned(),
        state: RecordingState::Finished,
        started_at: world.app.now(),
        offset_ms: 0,
        duration_ms: 1000,
        bytes: 16_044,
        lost_frames: 0,
        chain: "c".to_owned(),
        marks: json!([{ "name": "announcement", "begin_ms": 100, "end_ms": 200 }]),
    };
    world.app.store.save_recording(&TenantId::new(OPEN), &row).await.unwrap();
    (contact, id)
}

#[tokio::test]
async fn a_recording_is_found_by_number_name_and_date() {
    let world = World::new().await;
    let (contact, _) = recorded(&world, "9165550151").await;
    let supervisor = world.sign_in(OPEN, Role::Supervisor).await;
    let found = async |query: &str| {
        let list = world.get_as(&format!("/api/v1/recordings?{query}"), &supervisor).await.json();
        list["items"].as_array().unwrap_or_else(|| panic!("{query}: {list}")).len()
    };
    for query in ["", "number=(916)%20555-0151", "number=0151", "q=n%C3%BA%C3%B1", "queue=general", "from=0"] {
        assert_eq!(found(query).await, 1, "{query}");
    }
    for query in ["number=9165550152", "number=9999", "q=bob", "queue=other", "to=1", "agent=nobody"] {
        assert_eq!(found(query).await, 0, "{query}");
    }
    let list = world.get_as("/api/v1/recordings", &supervisor).await.json();
    let item = &list["items"][0];
    assert_eq!(item["contact"], contact.to_string());
    assert_eq!(item["number_display"], "(•••) •••-0151");
    assert_eq!((&item["legs"][0]["party"], &item["legs"][0]["duration_ms"]), (&json!("customer"), &json!(1000)));
    for wrong in ["number=12345", "from=x", "page=zzz", "colour=red"] {
        let answer = world.get_as(&format!("/api/v1/recordings?{wrong}"), &supervisor).await;
        assert!(answer.status.is_client_error(), "{wrong}");
    }
    let other = world.sign_in(VOUCHED, Role::Supervisor).await;
    let list = world.get_as("/api/v1/recordings", &other).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn sound_comes_by_range() {
    let world = World::new().await;
    let (contact, leg) = recorded(&world, "9165550153").await;
    let cookie = world.sign_in(OPEN, Role::Auditor).await;
    let path = format!("/api/v1/recordings/{contact}/audio?leg={leg}");
    let whole = world.get_as(&path, &cookie).await;
    assert_eq!(whole.status, StatusCode::OK, "{}", whole.text());
    assert_eq!((whole.header("content-type"), whole.header("accept-ranges")), ("audio/wav", "bytes"));
    assert_eq!(whole.header("content-length").parse::<usize>().unwrap(), whole.body.len());
    assert_eq!(whole.header("cache-control"), "private, no-store");
    assert_eq!(&whole.body[..4], b"RIFF");
    let ranged = async |range: &str| {
        world.send(request(Method::GET, &path, None, &[("cookie", cookie.as_str()), ("range", range)])).await
    };
    let part = ranged("bytes=100-199").await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.header("content-range"), format!("bytes 100-199/{}", whole.body.len()));
    assert_eq!(part.body, whole.body[100..200]);
    let tail = ranged("bytes=-10").await;
    assert_eq!(tail.body, whole.body[whole.body.len() - 10..]);
    let beyond = ranged("bytes=99999999-").await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.header("content-range"), format!("bytes */{}", whole.body.len()));
    let head = world.send(request(Method::HEAD, &path, None, &[("cookie", cookie.as_str())])).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length").parse::<usize>().unwrap(), whole.body.len());
    let stereo = world.get_as(&format!("/api/v1/recordings/{contact}/audio?download=1"), &cookie).await;
    assert_eq!(stereo.header("content-disposition"), format!("attachment; filename=\"{contact}.wav\""));
    assert!(stereo.body.len() > whole.body.len() && stereo.body[22] == 2, "two channels");
    let peaks = world.get_as(&format!("/api/v1/recordings/{contact}/peaks?buckets=10"), &cookie).await.json();
    assert_eq!(peaks["left"].as_array().unwrap().len(), 10);
    assert_eq!(peaks["marks"][0]["name"], "announcement");
}

#[tokio::test]
async fn every_listening_is_written_down_once() {
    let world = World::new().await;
    let (contact, leg) = recorded(&world, "9165550154").await;
    let cookie = world.sign_in(OPEN, Role::Supervisor).await;
    let path = format!("/api/v1/recordings/{contact}/audio");
    for range in ["bytes=0-", "bytes=100-", "bytes=200-300"] {
        world.send(request(Method::GET, &path, None, &[("cookie", cookie.as_str()), ("range", range)])).await;
    }
    world.get_as(&format!("{path}?leg={leg}&download=1"), &cookie).await;
    world.get_as("/api/v1/recordings?q=ana", &cookie).await;
    let audit = world.get_as("/api/v1/audit", &cookie).await.json();
    let count = |what: &str| audit["items"].as_array().unwrap().iter().filter(|row| row["what"] == what).count();
    assert_eq!((count("recording_played"), count("recording_downloaded"), count("recordings_searched")), (1, 1, 1));
    assert!(!audit.to_string().contains("\"ana\""), "what was searched for is not in the audit");
}

#[tokio::test]
async fn nobody_else_hears_and_no_address_can_be_guessed() {
    let world = World::new().await;
    let (contact, leg) = recorded(&world, "9165550155").await;
    let (other, other_leg) = recorded(&world, "9165550156").await;
    let path = format!("/api/v1/recordings/{contact}/audio");
    assert_eq!(world.get(&path).await.status, StatusCode::UNAUTHORIZED);
    for role in [Role::Agent, Role::Operator] {
        let cookie = world.sign_in(OPEN, role).await;
        assert_eq!(world.get_as(&path, &cookie).await.status, StatusCode::FORBIDDEN);
    }
    for role in [Role::Supervisor, Role::Admin, Role::Auditor] {
        let cookie = world.sign_in(VOUCHED, role).await;
        for path in [path.clone(), format!("{path}?leg={leg}"), format!("/api/v1/recordings/{contact}/peaks")] {
            assert_eq!(world.get_as(&path, &cookie).await.status, StatusCode::NOT_FOUND);
        }
    }
    let cookie = world.sign_in(OPEN, Role::Supervisor).await;
    assert_eq!(world.get_as(&format!("{path}?leg={other_leg}"), &cookie).await.status, StatusCode::NOT_FOUND);
    for leg in ["../../etc/passwd", "rc_0", &other.to_string()] {
        assert_eq!(world.get_as(&format!("{path}?leg={leg}"), &cookie).await.status, StatusCode::NOT_FOUND);
    }
}
