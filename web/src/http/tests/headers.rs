//! What every response carries, and what a browser of a foreign page may not do.

use super::*;

#[tokio::test]
async fn every_response_is_dressed() {
    let world = World::new().await;
    for path in ["/login", "/nope", "/healthz", &format!("/t/{OPEN}/call-me"), "/api/v1/me"] {
        let answer = world.get(path).await;
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "require-trusted-types-for 'script'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert!(answer.header("permissions-policy").contains("microphone=()"), "{path}");
        assert_eq!(answer.header("strict-transport-security"), "", "not over plain http");
    }
}

#[tokio::test]
async fn only_the_customers_pages_stand_in_frames_and_only_in_the_tenants_own() {
    let world = World::new().await;
    let page = world.get(&format!("/t/{OPEN}/call-me?embed=1")).await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'self' https://portal.open.example.gov"), "{policy}");
    assert_eq!(page.header("x-frame-options"), "");
    let login = world.get("/login").await;
    assert!(login.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(login.header("x-frame-options"), "DENY");
}

#[tokio::test]
async fn the_agents_page_alone_may_use_the_microphone() {
    let world = World::new().await;
    let agent = world.sign_in(OPEN, Role::Agent).await;
    let page = world.get_as("/agent", &agent).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.header("permissions-policy").contains("microphone=(self)"));
}

#[tokio::test]
async fn tls_brings_hsts_also_behind_a_trusted_proxy() {
    let world = World::new().await;
    let mut direct = request(Method::GET, "/login", None, &[]);
    direct.extensions_mut().insert(Peer { tls: true, ..peer("198.51.100.7") });
    assert!(world.send(direct).await.header("strict-transport-security").contains("max-age"));
    let mut proxied = request(Method::GET, "/login", None, &[("x-forwarded-proto", "https")]);
    proxied.extensions_mut().insert(peer("192.0.2.9"));
    assert!(world.send(proxied).await.header("strict-transport-security").contains("max-age"));
    let mut lying = request(Method::GET, "/login", None, &[("x-forwarded-proto", "https")]);
    lying.extensions_mut().insert(peer("198.51.100.7"));
    assert_eq!(world.send(lying).await.header("strict-transport-security"), "");
}

#[tokio::test]
async fn problems_come_in_the_readers_language_for_every_way_to_be_wrong() {
    let world = World::new().await;
    let spanish = world.send(request(Method::GET, "/nope", None, &[("accept-language", "es-MX,en;q=0.5")])).await;
    assert_eq!(spanish.json()["title"], "No encontrado");
    assert_eq!(world.get("/nope?lang=es").await.json()["title"], "No encontrado");
    let chosen = [("cookie", "ringback_lang=es"), ("accept-language", "en")];
    let kept = world.send(request(Method::GET, "/nope", None, &chosen)).await;
    assert_eq!(kept.json()["title"], "No encontrado", "what was chosen on a page goes before the browser's setting");
    let odd = world.send(request(Method::GET, "/nope", None, &[("cookie", "ringback_lang=\"><x")])).await;
    assert_eq!(odd.json()["title"], "Not found");
    let method = world.send(request(Method::DELETE, "/api/v1/login", None, &[])).await;
    assert_eq!((method.status, method.code().as_str()), (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"));
    let path = format!("/api/v1/t/{OPEN}/callbacks");
    let mut kind = request(Method::POST, &path, Some(json!({})), &[]);
    kind.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    let kind = world.send(kind).await;
    assert_eq!((kind.status, kind.code().as_str()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"));
    let large = world.post(&path, json!({ "name": "x".repeat(100_000) })).await;
    assert_eq!((large.status, large.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
    let large = world.post("/api/v1/login", json!({ "user": "x".repeat(100_000) })).await;
    assert_eq!((large.status, large.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
    let mut broken = request(Method::POST, &path, Some(json!({})), &[]);
    *broken.body_mut() = Body::from("{\"name\":");
    let broken = world.send(broken).await;
    assert_eq!((broken.status, broken.code().as_str()), (StatusCode::BAD_REQUEST, "bad_json"));
    assert_eq!(broken.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn foreign_pages_change_nothing() {
    let world = World::new().await;
    let cookie = world.sign_in(OPEN, Role::Supervisor).await;
    let body = || Some(json!({ "message": "closed" }));
    let with = async |headers: &[(&str, &str)]| {
        let mut all = vec![("cookie", cookie.as_str())];
        all.extend_from_slice(headers);
        world.send(request(Method::POST, "/api/v1/closure", body(), &all)).await
    };
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("origin", "http://localhost:8081")],
        &[("origin", ORIGIN), ("sec-fetch-site", "cross-site")],
        &[("origin", ORIGIN), ("sec-fetch-site", "same-site")],
        &[],
    ] {
        let answer = with(headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "cross_site"), "{headers:?}");
    }
    assert_eq!(with(&[("origin", ORIGIN), ("sec-fetch-site", "same-origin")]).await.status, StatusCode::NO_CONTENT);
    let path = format!("/api/v1/t/{OPEN}/callbacks");
    let ask = json!({ "name": "Ana", "phone": "916 555 0180" });
    let evil = world.send(request(Method::POST, &path, Some(ask), &[("origin", "https://evil.example")])).await;
    assert_eq!(evil.code(), "cross_site");
}
