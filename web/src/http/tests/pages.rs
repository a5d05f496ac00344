//! Pages without JavaScript, and what stands in the others.

use super::*;

const NASTY: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";

fn boot(html: &str) -> Value {
    let start = html.find("id=\"boot\">").unwrap() + "id=\"boot\">".len();
    let end = html[start..].find("</script>").unwrap();
    serde_json::from_str(&html[start..start + end]).unwrap()
}

fn form(world: &World, path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let _ = world;
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let body = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&");
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", ORIGIN)
        .body(Body::from(body))
        .unwrap()
}

fn form_token(html: &str) -> String {
    let start = html.find("name=\"form_token\" value=\"").unwrap() + "name=\"form_token\" value=\"".len();
    html[start..].split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_form_works_without_javascript_and_once() {
    let world = World::new().await;
    let path = format!("/t/{OPEN}/call-me?lang=es");
    let page = world.get(&path).await;
    assert!(page.text().contains("<html lang=\"es\">") && page.text().contains("Llámenme"));
    let token = form_token(&page.text());
    let fields = [("name", "Ana"), ("phone", "916 555 0190"), ("form_token", token.as_str())];
    let sent = world.send(form(&world, &path, &fields)).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());
    let to = sent.header("location").to_owned();
    assert!(to.starts_with(&format!("/t/{OPEN}/status/")) && to.ends_with("?lang=es"), "{to}");
    let status = world.get(&to).await;
    assert!(
        status.text().contains("Está en la fila.") && status.text().contains("(•••) •••-0190"),
        "{}",
        status.text()
    );
    assert_eq!(boot(&status.text())["status"]["stage"], "waiting");
    let again = world.send(form(&world, &path, &fields)).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "the form's token holds once");
    for forged in ["", "1.2.3", &token.replace('1', "2")] {
        let fields = [("name", "Ana"), ("phone", "916 555 0191"), ("form_token", forged)];
        assert_eq!(world.send(form(&world, &path, &fields)).await.status, StatusCode::CONFLICT);
    }
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed_harmlessly() {
    let world = World::new().await;
    let path = format!("/t/{OPEN}/call-me");
    let token = form_token(&world.get(&path).await.text());
    let fields = [("name", NASTY), ("phone", NASTY), ("page", NASTY), ("form_token", token.as_str())];
    let answer = world.send(form(&world, &path, &fields)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let html = answer.text();
    assert!(!html.contains("<script>") && !html.contains("<img"), "{html}");
    assert!(html.contains("role=\"alert\"") && html.contains("&quot;&gt;&lt;script&gt;"));
    let address = format!("/t/{OPEN}/call-me?token=%3Cscript%3E&page=%22%3E%3Cscript%3E&lang=%3Cb%3E");
    let html = world.get(&address).await.text();
    assert!(!html.contains("<script>") && !html.contains("\"><script"), "{html}");
}

#[tokio::test]
async fn a_form_of_a_foreign_page_is_refused() {
    let world = World::new().await;
    let path = format!("/t/{OPEN}/call-me");
    let token = form_token(&world.get(&path).await.text());
    let fields = [("name", "Ana"), ("phone", "916 555 0192"), ("form_token", token.as_str())];
    let mut request = form(&world, &path, &fields);
    request.headers_mut().insert("origin", HeaderValue::from_static("https://evil.example"));
    assert_eq!(world.send(request).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn where_it_is_off_the_page_is_kind() {
    let world = World::new().await;
    let page = world.get(&format!("/t/{OFF}/call-me")).await;
    assert_eq!(page.status, StatusCode::OK);
    let html = page.text();
    assert!(html.contains("tel:+19168743100") && html.contains("(916) 874-3100") && html.contains("Monday"), "{html}");
    assert!(!html.contains("<form"));
    assert!(html.contains("off &lt;County&gt; &amp; &#39;Sons&#39;") && !html.contains("<County>"));
    assert_eq!(boot(&html)["enabled"], false);
    assert_eq!(world.get("/t/nowhere/call-me").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_portals_token_fills_the_form() {
    let world = World::new().await;
    let token = portal_token(&world.app, VOUCHED, "p1");
    let page = world.get(&format!("/t/{VOUCHED}/call-me?token={token}")).await.text();
    let boot_of = boot(&page);
    assert_eq!(boot_of["prefill"]["name"], "Vouched Name");
    assert_eq!((&boot_of["token"], &boot_of["token_error"]), (&json!(token), &Value::Null));
    let wrong = boot(&world.get(&format!("/t/{VOUCHED}/call-me?token=a.b.c")).await.text());
    assert_eq!((&wrong["token_error"], &wrong["prefill"]), (&json!("token_invalid"), &Value::Null));
}

#[tokio::test]
async fn a_status_page_is_found_under_its_own_county_only() {
    let world = World::new().await;
    let link = world.callback("916 555 0193").await["status_token"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&format!("/t/{OPEN}/status/{link}")).await.status, StatusCode::OK);
    let other = world.get(&format!("/t/{VOUCHED}/status/{link}")).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    assert!(!other.text().contains("0193") && boot(&other.text())["status"].is_null());
}

#[tokio::test]
async fn staff_pages_lead_to_the_login_and_back() {
    let world = World::new().await;
    for page in ["/agent", "/supervisor"] {
        let answer = world.get(page).await;
        assert_eq!(answer.header("location"), format!("/login?next={page}"));
    }
    let spanish = world.get("/admin?tab=hours&lang=es").await;
    assert_eq!(spanish.header("location"), "/login?next=/admin&lang=es", "the language asked for goes along");
    assert_eq!(world.get("/admin?lang=%22").await.header("location"), "/login?next=/admin");
    let next = |html: String| boot(&html)["next"].clone();
    assert_eq!(next(world.get("/login?next=/agent").await.text()), "/agent");
    for elsewhere in ["https://evil.example", "//evil.example", "/agent/../x"] {
        assert_eq!(next(world.get(&format!("/login?next={elsewhere}")).await.text()), Value::Null);
    }
    let supervisor = world.sign_in(OPEN, Role::Supervisor).await;
    let spanish = world.get_as("/supervisor", &format!("{supervisor}; ringback_lang=es")).await.text();
    assert!(spanish.contains("<html lang=\"es\"") && spanish.contains("<title>Tablero"), "{spanish}");
    assert_eq!(boot(&spanish)["lang"], "es", "the language that was chosen");
    let html = world.get_as("/supervisor", &supervisor).await.text();
    assert_eq!(boot(&html)["user"]["role"], "supervisor");
    assert_eq!(boot(&html)["tenant"]["id"], OPEN);
    let theme = world.get(&format!("/t/{OPEN}/theme.css")).await;
    assert_eq!(theme.text(), ":root{--accent:#1f5fbf;--accent-text:#ffffff}\n");
}
