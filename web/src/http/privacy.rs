//! One person's data: looked up, taken out as one archive, erased. For administrators; each step is written down by ids
//! and counts.

use std::{collections::BTreeSet, io, sync::Arc};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use ringback_engine::{AudioFile, RecordingView};
use ringback_routing::{
    contact::{Contact, ContactState},
    ids::{ContactId, TenantId},
    time::Timestamp,
};
use ringback_store::{PersonFound, PersonKeys};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use utoipa::ToSchema;

use super::{board::audit, body::JsonBody, customers, error::ApiError, guard::Caller, history::lines_of};
use crate::{
    phone::Dialable,
    retention,
    state::App,
    token,
    zip::{Archive, MOST_BYTES},
};

/// Pieces of an archive that wait for a slow reader.
const PIECES_WAITING: usize = 4;

/// Who is meant: one of both, or both.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonAsk {
    /// As typed.
    #[serde(default)]
    pub phone: String,
    /// What the portal calls this person.
    #[serde(default)]
    pub external_id: String,
    /// To erase: what `found` said when it was looked up, so that what goes is what was seen.
    #[serde(default)]
    pub found: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PersonAnswer {
    /// Under which names the person is known.
    pub names: Vec<String>,
    /// People of the directory.
    pub customers: u64,
    pub contacts: u64,
    /// Contacts in which something was written.
    pub chats: u64,
    pub recordings: u64,
    pub cases: u64,
    #[schema(value_type = Option<i64>)]
    pub first_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>)]
    pub last_at: Option<Timestamp>,
    /// Contacts that are not over: nothing is erased meanwhile.
    pub live: Vec<String>,
    /// Contacts on legal hold: nothing is erased as long as it stands.
    pub held: Vec<String>,
    /// There is more than is looked up at a time: erase, then look again.
    pub more: bool,
    /// Stands for all that was found.
    pub found: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ErasedAnswer {
    pub contacts: u64,
    pub chats: u64,
    pub recordings: u64,
    pub cases: u64,
    pub customers: u64,
    /// Entries of the journal.
    pub journal: u64,
    /// Nothing is found any more. False: there was more than goes at a time, look again.
    pub complete: bool,
}

/// What keeps a person's data where it is.
enum Barrier {
    /// Contacts that are not over.
    Live(Vec<ContactId>),
    /// Contacts on legal hold.
    Held(Vec<ContactId>),
}

pub async fn find(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<PersonAsk>,
) -> Result<Json<PersonAnswer>, ApiError> {
    let tenant = caller.tenant()?;
    let person = asked(&app, tenant, &ask).await?;
    let (mut recordings, mut chats) = (0, 0);
    for contact in &person.contacts {
        recordings += app.store.recordings_of(tenant, contact.id).await?.len() as u64;
        chats += u64::from(app.store.chat_standing(tenant, contact.id).await?.0 > 0);
    }
    let words = |ids: Vec<ContactId>| ids.iter().map(ToString::to_string).collect();
    let answer = PersonAnswer {
        names: names(&person).into_iter().collect(),
        customers: person.customers.len() as u64,
        contacts: person.contacts.len() as u64,
        chats,
        recordings,
        cases: person.cases.len() as u64,
        first_at: person.contacts.iter().map(|contact| contact.requested_at).min(),
        last_at: person.contacts.iter().map(|contact| contact.requested_at).max(),
        live: words(live(&app, tenant, &person).await?),
        held: words(held(&app, tenant, &person).await?),
        more: person.more,
        found: stands_for(&person),
    };
    audit(&app, &caller, "person_looked_up", tenant, json!({ "contacts": answer.contacts })).await?;
    Ok(Json(answer))
}

/// The person the request means.
async fn asked(app: &App, tenant: &TenantId, ask: &PersonAsk) -> Result<PersonFound, ApiError> {
    let face = app.faces.get(tenant).ok_or_else(ApiError::not_found)?;
    let mut keys = PersonKeys::default();
    if !ask.phone.trim().is_empty() {
        keys.number_keys.insert(Dialable::parse(&ask.phone, &face.phone_rules)?.key(&app.installation_key));
    }
    let external_id = ask.external_id.trim();
    if !external_id.is_empty() {
        keys.external_ids.insert(external_id.to_owned());
    }
    if keys == PersonKeys::default() {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "phone_required").with("field", "phone"));
    }
    Ok(app.store.find_person(tenant, keys).await?)
}

fn names(person: &PersonFound) -> BTreeSet<String> {
    let of_contacts = person.contacts.iter().map(|contact| contact.customer.name.clone());
    let known = person.customers.iter().map(|customer| customer.name.clone());
    of_contacts.chain(known).filter(|name| !name.is_empty()).collect()
}

/// Changes with whatever is found.
fn stands_for(person: &PersonFound) -> String {
    let contacts = person.contacts.iter().map(|contact| contact.id.to_string());
    let customers = person.customers.iter().map(|customer| format!("{} {}", customer.id, customer.version));
    let cases = person.cases.iter().map(|case| format!("{} {}", case.contact, case.version));
    token::digest(&contacts.chain(customers).chain(cases).collect::<Vec<_>>().join("\n"))
}

async fn live(app: &App, tenant: &TenantId, person: &PersonFound) -> Result<Vec<ContactId>, ApiError> {
    let mut live = Vec::new();
    for contact in &person.contacts {
        let over = matches!(contact.state, ContactState::Closed { .. });
        if !over || app.engine.status_view(tenant, contact.id).await?.is_some() {
            live.push(contact.id);
        }
    }
    Ok(live)
}

async fn held(app: &App, tenant: &TenantId, person: &PersonFound) -> Result<Vec<ContactId>, ApiError> {
    let contacts: Vec<ContactId> = person.contacts.iter().map(|contact| contact.id).collect();
    let mut held = Vec::new();
    for some in contacts.chunks(ringback_store::MAX_PAGE as usize) {
        held.extend(app.store.legal_holds_on(tenant, some).await?.into_iter().map(|hold| hold.contact));
    }
    Ok(held)
}

/// Whoever has a say in what may go says it here.
async fn barrier(app: &App, tenant: &TenantId, person: &PersonFound) -> Result<Option<Barrier>, ApiError> {
    let live = live(app, tenant, person).await?;
    if !live.is_empty() {
        return Ok(Some(Barrier::Live(live)));
    }
    let held = held(app, tenant, person).await?;
    Ok((!held.is_empty()).then_some(Barrier::Held(held)))
}

pub async fn erase(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<PersonAsk>,
) -> Result<Json<ErasedAnswer>, ApiError> {
    let tenant = caller.tenant()?;
    let person = asked(&app, tenant, &ask).await?;
    if stands_for(&person) != ask.found {
        return Err(ApiError::new(StatusCode::CONFLICT, "changed_meanwhile"));
    }
    match barrier(&app, tenant, &person).await? {
        None => {}
        Some(Barrier::Live(contacts)) => return Err(stays("person_live", &contacts)),
        Some(Barrier::Held(contacts)) => return Err(stays("person_held", &contacts)),
    }
    let now = app.now();
    let contacts: Vec<ContactId> = person.contacts.iter().map(|contact| contact.id).collect();
    let traces = app.store.erase_traces(tenant, &person).await?;
    let removed = app.store.erase_contacts(tenant, contacts.clone(), caller.id().as_str(), now).await?;
    for contact in contacts {
        app.engine.forget_chat(tenant, contact);
    }
    // Of the person's contacts they went with them; these were filed of somebody else's.
    let (others, customers) = app.store.erase_from_directory(tenant, &person).await?;
    let cases = removed.cases + others;
    retention::take_files(&app).await;
    if let Err(error) = app.store.settle().await {
        tracing::warn!(%error, "what was erased leaves the write-ahead log with the next checkpoint");
    }
    let complete = asked(&app, tenant, &ask).await?.is_empty();
    let detail = json!({ "customers": customers, "cases": cases, "journal": traces.journal, "complete": complete });
    audit(&app, &caller, "person_erased", tenant, detail).await?;
    Ok(Json(ErasedAnswer {
        contacts: removed.personal,
        chats: removed.transcripts,
        recordings: removed.recordings,
        cases,
        customers,
        journal: traces.journal,
        complete,
    }))
}

fn stays(code: &'static str, contacts: &[ContactId]) -> ApiError {
    let contacts: Vec<String> = contacts.iter().map(ToString::to_string).collect();
    ApiError::new(StatusCode::CONFLICT, code).with("contacts", contacts)
}

/// A sound file of the archive.
struct Sound {
    name: String,
    file: Arc<AudioFile>,
}

pub async fn export(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<PersonAsk>,
) -> Result<Response, ApiError> {
    let tenant = caller.tenant()?;
    let person = asked(&app, tenant, &ask).await?;
    if person.is_empty() {
        return Err(ApiError::not_found());
    }
    let mut sounds = Vec::new();
    let document = document(&app, tenant, &person, &mut sounds).await?;
    let document = serde_json::to_vec_pretty(&document).map_err(|_| ApiError::unavailable())?;
    let bytes: u64 = document.len() as u64 + sounds.iter().map(|sound| sound.file.len() + 1024).sum::<u64>();
    if bytes > MOST_BYTES {
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
    }
    let detail = json!({ "contacts": person.contacts.len(), "recordings": sounds.len() });
    audit(&app, &caller, "person_exported", tenant, detail).await?;
    let (pieces, read) = mpsc::channel(PIECES_WAITING);
    tokio::spawn(write_archive(document, sounds, app.limits().recording_chunk_bytes as u64, pieces));
    let body = stream::unfold(read, |mut read| async move { read.recv().await.map(|piece| (piece, read)) });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"person.zip\""));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

async fn document(
    app: &App,
    tenant: &TenantId,
    person: &PersonFound,
    sounds: &mut Vec<Sound>,
) -> Result<Value, ApiError> {
    let mut customers = Vec::new();
    for customer in &person.customers {
        customers.push(json!(customers::answer(app, tenant, customer.clone()).await?));
    }
    let mut contacts = Vec::new();
    for contact in &person.contacts {
        contacts.push(contact_told(app, tenant, contact, person, sounds).await?);
    }
    Ok(json!({ "tenant": tenant, "exported_at": app.now(), "customers": customers, "contacts": contacts }))
}

async fn contact_told(
    app: &App,
    tenant: &TenantId,
    contact: &Contact,
    person: &PersonFound,
    sounds: &mut Vec<Sound>,
) -> Result<Value, ApiError> {
    let mut told = contact.clone();
    Arc::make_mut(&mut told.customer).number_key = String::new();
    told.status_token_digest = None;
    let facts = app.store.contact_facts(tenant, contact.id).await?;
    let facts: Vec<Value> = facts.iter().map(|row| json!({ "at": row.at, "fact": row.fact })).collect();
    let mut recordings = Vec::new();
    for row in app.store.recordings_of(tenant, contact.id).await? {
        // What cannot be read is named all the same.
        let file = app.engine.recording_audio(tenant, contact.id, RecordingView::Leg(row.id)).await.ok();
        let name = file.as_ref().map(|_| format!("recordings/{}.wav", row.id));
        recordings.push(json!({ "recording": row.id, "party": row.party, "started_at": row.started_at,
            "duration_ms": row.duration_ms, "state": row.state, "file": name }));
        sounds.extend(file.zip(name).map(|(file, name)| Sound { name, file: Arc::new(file) }));
    }
    let case = person.cases.iter().find(|case| case.contact == contact.id);
    let case = case.map(|case| {
        json!({ "state": customers::state_word(case.state), "title": case.title, "body": case.body,
            "opened_at": case.opened_at, "opened_by": case.opened_by })
    });
    Ok(json!({ "contact": told, "events": facts, "transcript": lines_of(app, tenant, contact.id).await?,
        "case": case, "recordings": recordings }))
}

/// Writes for as long as somebody reads.
async fn write_archive(document: Vec<u8>, sounds: Vec<Sound>, step: u64, pieces: mpsc::Sender<io::Result<Bytes>>) {
    let mut archive = Archive::default();
    let mut head = archive.begin("person.json");
    archive.note(&document);
    head.extend(document);
    head.extend(archive.end());
    if pieces.send(Ok(head.into())).await.is_err() {
        return;
    }
    for Sound { name, file } in sounds {
        if pieces.send(Ok(archive.begin(&name).into())).await.is_err() {
            return;
        }
        let (mut at, end) = (0, file.len());
        while at < end {
            let (file, until) = (file.clone(), at.saturating_add(step.max(1)).min(end));
            let read = tokio::task::spawn_blocking(move || file.read_range(at, until)).await;
            let piece = match read {
                Ok(Ok(piece)) if piece.len() as u64 == until - at => piece,
                // An archive that lacks something is cut, so that nobody takes it for whole.
                Ok(Err(error)) => return drop(pieces.send(Err(error)).await),
                _ => return drop(pieces.send(Err(io::ErrorKind::UnexpectedEof.into())).await),
            };
            archive.note(&piece);
            if pieces.send(Ok(piece.into())).await.is_err() {
                return;
            }
            at = until;
        }
        if pieces.send(Ok(archive.end().into())).await.is_err() {
            return;
        }
    }
    // Nobody is left to be told when this fails.
    let _ = pieces.send(Ok(archive.finish().into())).await;
}
