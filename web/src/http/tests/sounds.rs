//! Own prompts: what is brought in belongs to its county, is bounded, and is played once it is saved.

use ringback_routing::output::PromptName;

use super::*;
use crate::prompts;

/// 16 bits, mono.
fn wav(rate: u32, samples: usize) -> Vec<u8> {
    let sound: Vec<u8> = (0..samples).flat_map(|at| (((at % 40) as i16 - 20) * 500).to_le_bytes()).collect();
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + sound.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    file.extend([1u16, 1].into_iter().flat_map(u16::to_le_bytes));
    file.extend([rate, rate * 2].into_iter().flat_map(u32::to_le_bytes));
    file.extend([2u16, 16].into_iter().flat_map(u16::to_le_bytes));
    file.extend(b"data");
    file.extend((sound.len() as u32).to_le_bytes());
    file.extend(sound);
    file
}

impl World {
    async fn bring(&self, file: Vec<u8>, kind: &str, cookie: &str) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/sounds")
            .header("content-type", kind)
            .header("cookie", cookie)
            .header("origin", ORIGIN);
        self.send(request.body(Body::from(file)).unwrap()).await
    }
}

#[tokio::test]
async fn a_sound_is_made_fit_kept_for_its_county_and_named_by_a_setting() {
    let world = World::with_limits("prompt_bytes = 400000\nprompt_seconds = 5").await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    assert_eq!(world.bring(wav(16_000, 16_000), "text/plain", &admin).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(world.bring(wav(48_000, 300_000), "audio/wav", &admin).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let long = world.bring(wav(8_000, 48_000), "audio/wav", &admin).await;
    assert_eq!(
        (long.json()["field"].clone(), long.json()["why"].clone()),
        (json!("sound"), json!("longer than allowed"))
    );
    assert_eq!(world.bring(b"noise".to_vec(), "audio/wav", &admin).await.code(), "bad_value");
    let made = world.bring(wav(16_000, 32_000), "audio/wav", &admin).await;
    assert_eq!(
        (made.status, made.json()["milliseconds"].as_u64()),
        (StatusCode::CREATED, Some(2000)),
        "{}",
        made.text()
    );
    let sound = made.json()["sound"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/sounds/{sound}");
    let heard = world.get_as(&path, &admin).await;
    assert_eq!((heard.header("content-type"), heard.body.len()), ("audio/wav", 44 + 32_000));
    let theirs = world.sign_in(VOUCHED, Role::Admin).await;
    assert_eq!(world.get_as(&path, &theirs).await.status, StatusCode::NOT_FOUND);

    let put = async |cookie: &str, own: Value| {
        let answer = world.get_as("/api/v1/settings", cookie).await.json();
        let mut settings = answer["settings"].clone();
        settings["prompts"] = own;
        let body = json!({ "base": answer["version"], "settings": settings });
        world
            .send(request(Method::PUT, "/api/v1/settings", Some(body), &[("cookie", cookie), ("origin", ORIGIN)]))
            .await
    };
    let own = |id: &str| json!([{ "id": id, "sound": sound, "file": "our greeting.wav" }]);
    for (id, field) in [("greeting", "id"), ("greeting-fr", "id"), ("hymn-en", "id"), ("hold_music-en", "id")] {
        assert_eq!(put(&admin, own(id)).await.json()["field"], format!("prompts.0.{field}"), "{id}");
    }
    assert_eq!(put(&theirs, own("greeting-en")).await.json()["field"], "prompts.0.sound", "another county's sound");
    let kept = put(&admin, own("greeting-en")).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.text());
    let face = world.app.faces.get(&TenantId::new(OPEN)).unwrap();
    let ready = prompts::brought(&world.app.store, &TenantId::new(OPEN), &face.own_prompts).await.unwrap();
    assert_eq!(ready.len(), 1);
    assert_eq!((ready[0].0, ready[0].1.as_str(), ready[0].2.samples.0.len()), (PromptName::Greeting, "en", 16_000));
    assert_eq!(ready[0].2.version, sound);
}
