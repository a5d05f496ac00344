//! The OpenAPI 3.1 description, made of the route table and the schemas, so that it cannot leave a route out.

use std::collections::BTreeMap;

use axum::Json;
use serde_json::{Map, Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{
    audit, availability, body, callbacks, cases, chat, closure, colleagues, contacts, counties, customers, factor,
    gate,
    guard::Access,
    history, holds, ice, keys, ladder, lines, login, numbers, operations, people, person_versions, pictures, playback,
    privacy, quality, recordings,
    routes::{Route, Upload, table},
    schema, settings, short_codes, sounds, sso, status, transcripts, webhooks,
};
use crate::ws;

pub async fn read() -> Json<Value> {
    Json(document())
}

/// The whole description.
pub fn document() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in table(false) {
        if route.path.contains("{*") {
            continue;
        }
        paths.entry(route.path).or_default().insert(route.method.as_str().to_lowercase(), operation(&route));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ringback",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": "Times are milliseconds since 1970-01-01 UTC, spans milliseconds. Refusals are problem documents \
                            (RFC 9457). The agent's socket /ws speaks ringback.v1: ClientMessage there, ServerMessage back.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": { "session": { "type": "apiKey", "in": "cookie", "name": super::guard::COOKIE } },
        },
    })
}

fn operation(route: &Route) -> Value {
    let doc = route.doc;
    let media = if doc.media.is_empty() { "application/json" } else { doc.media };
    let mut success = json!({ "description": doc.summary });
    if let Some(name) = doc.response {
        success["content"] = json!({ media: { "schema": reference(name) } });
    } else if doc.status == 200 {
        success["content"] = json!({ media: {} });
    }
    let problem = json!({
        "description": "Refused",
        "content": { "application/problem+json": { "schema": reference("Problem") } },
    });
    let mut operation = json!({
        "summary": doc.summary,
        "description": access_words(route.access),
        "responses": { doc.status.to_string(): success, "default": problem },
    });
    let parameters = parameters(route);
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if let Some(name) = doc.request {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": reference(name) } } });
    }
    if let Some(upload) = route.upload {
        let media: &[&str] = match upload {
            Upload::Sound => &["audio/wav"],
            Upload::Picture => &["image/png", "image/jpeg", "image/webp"],
        };
        let binary = || json!({ "schema": { "type": "string", "format": "binary" } });
        let content: Map<String, Value> = media.iter().map(|name| ((*name).to_owned(), binary())).collect();
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    if matches!(route.access, Access::Staff(_) | Access::StaffPage(_)) {
        operation["security"] = json!([{ "session": [] }]);
    }
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let in_query = route.doc.query.iter();
    parameters.extend(in_query.map(|name| json!({ "name": name, "in": "query", "schema": { "type": "string" } })));
    if matches!(route.doc.request, Some("CallbackAsk" | "ChatAsk")) {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "schema": { "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" },
        }));
    }
    parameters
}

fn access_words(access: Access) -> String {
    let roles = |roles: &[ringback_store::Role]| roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
    match access {
        Access::Public => "Everybody.".to_owned(),
        Access::StatusLink => "Whoever holds the customer's link.".to_owned(),
        Access::Staff(of) | Access::StaffPage(of) => format!("Signed-in staff of the own tenant: {}.", roles(of)),
        Access::Operations => "Loopback and the addresses of server.metrics_from.".to_owned(),
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn schemas() -> BTreeMap<String, RefOr<Schema>> {
    let mut found = Vec::new();
    fn add<T: ToSchema + PartialSchema>(found: &mut Vec<(String, RefOr<Schema>)>) {
        found.push((T::name().into_owned(), T::schema()));
        T::schemas(found);
    }
    add::<schema::Problem>(&mut found);
    add::<body::Nothing>(&mut found);
    add::<availability::AvailabilityAnswer>(&mut found);
    add::<callbacks::CallbackAsk>(&mut found);
    add::<callbacks::CallbackAnswer>(&mut found);
    add::<numbers::NumberAsk>(&mut found);
    add::<numbers::NumberAnswer>(&mut found);
    add::<chat::ChatAsk>(&mut found);
    add::<chat::ChatAnswer>(&mut found);
    add::<chat::ChatNews>(&mut found);
    add::<chat::ChatSay>(&mut found);
    add::<chat::ChatSaid>(&mut found);
    add::<chat::ChatSeen>(&mut found);
    add::<chat::CallInstead>(&mut found);
    add::<chat::CustomerMessage>(&mut found);
    add::<chat::CustomerNews>(&mut found);
    add::<status::StatusPage>(&mut found);
    add::<status::NumberChange>(&mut found);
    add::<status::TimeChoice>(&mut found);
    add::<availability::SlotsAnswer>(&mut found);
    add::<schema::ClosurePreview>(&mut found);
    add::<login::LoginAsk>(&mut found);
    add::<login::LoginAnswer>(&mut found);
    add::<login::Me>(&mut found);
    add::<schema::BoardView>(&mut found);
    add::<schema::AgentView>(&mut found);
    add::<schema::WhyView>(&mut found);
    add::<contacts::ContactAnswer>(&mut found);
    add::<history::HistoryAnswer>(&mut found);
    add::<short_codes::CodeAnswer>(&mut found);
    add::<cases::ContactCustomer>(&mut found);
    add::<cases::CaseWrite>(&mut found);
    add::<cases::DraftList>(&mut found);
    add::<customers::CustomerList>(&mut found);
    add::<customers::CustomerAnswer>(&mut found);
    add::<customers::CustomerWrite>(&mut found);
    add::<colleagues::ColleagueList>(&mut found);
    add::<ice::IcePaths>(&mut found);
    add::<history::TranscriptAnswer>(&mut found);
    add::<ladder::LadderAnswer>(&mut found);
    add::<webhooks::WebhookList>(&mut found);
    add::<webhooks::WebhookAdd>(&mut found);
    add::<webhooks::WebhookMade>(&mut found);
    add::<sounds::SoundMade>(&mut found);
    add::<lines::LineList>(&mut found);
    add::<lines::LineChange>(&mut found);
    add::<lines::LineBack>(&mut found);
    add::<holds::HoldList>(&mut found);
    add::<holds::HoldAsk>(&mut found);
    add::<quality::QualityAnswer>(&mut found);
    add::<settings::SettingsAnswer>(&mut found);
    add::<settings::SettingsChange>(&mut found);
    add::<settings::SettingsBack>(&mut found);
    add::<settings::VersionList>(&mut found);
    add::<counties::TenantList>(&mut found);
    add::<counties::TenantFound>(&mut found);
    add::<counties::TrunkConnect>(&mut found);
    add::<closure::ClosureAsk>(&mut found);
    add::<closure::ClosureAnswer>(&mut found);
    add::<privacy::PersonAsk>(&mut found);
    add::<privacy::PersonAnswer>(&mut found);
    add::<privacy::ErasedAnswer>(&mut found);
    add::<recordings::RecordingList>(&mut found);
    add::<transcripts::TranscriptList>(&mut found);
    add::<sso::LogoutNotice>(&mut found);
    add::<sso::SignedOutAnswer>(&mut found);
    add::<factor::FactorAsk>(&mut found);
    add::<factor::FactorOffer>(&mut found);
    add::<factor::FactorConfirm>(&mut found);
    add::<factor::RecoveryCodes>(&mut found);
    add::<factor::PasswordChange>(&mut found);
    add::<people::PeopleList>(&mut found);
    add::<people::PersonAdd>(&mut found);
    add::<people::PersonChange>(&mut found);
    add::<person_versions::PersonVersions>(&mut found);
    add::<person_versions::PersonBack>(&mut found);
    add::<keys::KeyList>(&mut found);
    add::<keys::KeyAdd>(&mut found);
    add::<keys::KeyMade>(&mut found);
    add::<gate::RefusalList>(&mut found);
    add::<gate::DoNotCallList>(&mut found);
    add::<gate::DoNotCallAsk>(&mut found);
    add::<pictures::PictureMade>(&mut found);
    add::<playback::PeaksAnswer>(&mut found);
    add::<audit::AuditList>(&mut found);
    add::<operations::TrunkList>(&mut found);
    add::<operations::AlarmList>(&mut found);
    add::<ws::ClientMessage>(&mut found);
    add::<ws::ServerMessage>(&mut found);
    found.into_iter().collect()
}

/// The description as it is committed.
pub fn text() -> String {
    serde_json::to_string_pretty(&document()).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
        }
        assert!(document["components"]["schemas"].get("ServerMessage").is_some());
    }

    #[test]
    fn every_json_answer_and_body_is_described() {
        for route in table(false).iter().filter(|route| route.path.starts_with("/api/")) {
            assert!(!route.doc.summary.is_empty(), "{} {}", route.method, route.path);
            if route.method == axum::http::Method::POST {
                assert!(route.doc.request.is_some() || route.upload.is_some(), "{}", route.path);
            }
        }
    }

    #[test]
    fn the_committed_description_is_fresh() {
        let committed = include_str!("../../../docs/openapi.json");
        assert!(
            committed == text(),
            "docs/openapi.json is stale: cargo run -p ringback -- openapi > docs/openapi.json"
        );
    }
}
