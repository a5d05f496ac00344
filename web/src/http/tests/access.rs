//! Every route × every role × two counties.

use axum::http::{Method, StatusCode};
use ringback_store::Role;
use serde_json::json;

use super::*;
use crate::http::{
    guard::{Access, Rate},
    routes::{Route, table},
};

/// A path with something plausible in every place; `contact` is a contact of the open county.
fn filled(route: &Route, contact: &str) -> String {
    route
        .path
        .replace("{tenant}", OPEN)
        .replace("{token}", &"x".repeat(43))
        .replace("{contact}", contact)
        .replace("{user}", "nobody")
        .replace("{key}", "none")
        .replace("{number}", "none")
        .replace("{*file}", "nothing.js")
}

async fn call(world: &World, route: &Route, path: &str, cookie: Option<&str>) -> Answer {
    let body = (!route.method.is_safe()).then(|| json!({}));
    let mut headers = vec![("origin", ORIGIN)];
    headers.extend(cookie.map(|cookie| ("cookie", cookie)));
    world.send(request(route.method.clone(), path, body, &headers)).await
}

fn refused(answer: &Answer) -> bool {
    answer.status == StatusCode::UNAUTHORIZED
        || answer.status == StatusCode::FORBIDDEN
        || (answer.status == StatusCode::SEE_OTHER && answer.header("location").starts_with("/login?next="))
}

#[tokio::test]
async fn every_route_admits_whom_the_table_says_and_nobody_else() {
    let world = World::new().await;
    let link = world.callback("916 555 0150").await["status_token"].as_str().unwrap().to_owned();
    let contact = world.contact_of(&link).await.to_string();
    let routes = table(false);
    assert!(routes.len() > 35);
    let cookies = world.cookies().await;
    for route in &routes {
        let path = filled(route, &contact);
        // Streams do not end and sockets need one: those have tests of their own.
        let endless = route.path.ends_with("/events") || route.path == "/ws" || route.path == "/api/v1/logout";
        let anonymous = call(&world, route, &path, None).await;
        let asks_for_login = matches!(route.access, Access::Staff(_) | Access::StaffPage(_));
        if asks_for_login {
            assert!(refused(&anonymous), "{} {path}: {}", route.method, anonymous.status);
        } else if route.path != "/api/v1/login" {
            assert_ne!(anonymous.status, StatusCode::UNAUTHORIZED, "{path}");
            assert_ne!(anonymous.status, StatusCode::FORBIDDEN, "{path}");
        }
        if !asks_for_login {
            continue;
        }
        for ((tenant, role), cookie) in &cookies {
            let allowed = match route.access {
                Access::Staff(roles) | Access::StaffPage(roles) => roles.iter().any(|known| known.as_str() == *role),
                _ => true,
            };
            if allowed && endless {
                continue;
            }
            let answer = call(&world, route, &path, Some(cookie)).await;
            let place = format!("{} {path} as {tenant} {role}: {} {}", route.method, answer.status, answer.text());
            if !allowed {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{place}");
                continue;
            }
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{place}");
            // What belongs to the open county does not exist for the other one.
            if route.path.contains("{contact}") && *tenant != OPEN {
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{place}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_in_the_table_is_not_there() {
    let world = World::new().await;
    for path in [
        "/api/v1/passwords",
        "/api/v2/me",
        "/administrator",
        "/demo/portal",
        "/.env",
        "/assets/../../Cargo.toml",
        "/t/open/nothing",
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.code(), "not_found");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[test]
fn the_table_names_no_route_twice_and_lets_no_deed_go_unlimited() {
    let routes = table(true);
    for (index, route) in routes.iter().enumerate() {
        let twin = routes[index + 1..].iter().any(|other| other.path == route.path && other.method == route.method);
        assert!(!twin, "{} {}", route.method, route.path);
        if !route.method.is_safe() {
            assert_ne!(route.rate, Rate::Free, "{}", route.path);
        }
    }
    let recordings = routes.iter().filter(|route| route.path.contains("recordings"));
    for route in recordings {
        assert_eq!(route.access, Access::Staff(&[Role::Supervisor, Role::Admin, Role::Auditor]), "{}", route.path);
    }
}

#[tokio::test]
async fn metrics_are_for_operations_only() {
    let world = World::new().await;
    assert_eq!(world.get("/metrics").await.status, StatusCode::OK);
    let mut far = request(Method::GET, "/metrics", None, &[]);
    far.extensions_mut().insert(peer("198.51.100.7"));
    assert_eq!(world.send(far).await.status, StatusCode::FORBIDDEN);
    // Only a trusted proxy may say who is behind it.
    let mut lying = request(Method::GET, "/metrics", None, &[("x-forwarded-for", "127.0.0.1")]);
    lying.extensions_mut().insert(peer("198.51.100.7"));
    assert_eq!(world.send(lying).await.status, StatusCode::FORBIDDEN);
    let mut proxied = request(Method::GET, "/metrics", None, &[("x-forwarded-for", "127.0.0.1, 198.51.100.8")]);
    proxied.extensions_mut().insert(peer("192.0.2.9"));
    assert_eq!(world.send(proxied).await.status, StatusCode::FORBIDDEN);
}
