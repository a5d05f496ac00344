//! Every address the server answers, and who may call it. The router is built from this table and from nothing else, so
//! a route that is not in it does not exist.

mod customers;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, StatusCode},
    middleware,
    routing::{MethodRouter, delete, get, patch, post, put},
};
use ringback_store::{Permission, Role};

use super::{
    audit, board, cases, closure, colleagues, contacts, counties, customers as directory, edge,
    error::ApiError,
    factor, gate,
    guard::{self, Access, By, Guard, Rate},
    history, holds, ice, keys, ladder, lines, login, openapi, operations, pages, people, person_versions, pictures,
    playback, privacy, quality, recordings, settings, short_codes, sounds, sso, transcripts, webhooks,
};
use crate::{demo, state::App, ws};

/// One method of one address.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    pub rate: Rate,
    pub needs: Option<Permission>,
    pub by: By,
    /// Takes a file in place of a small JSON document.
    pub upload: Option<Upload>,
    pub doc: Doc,
    handler: MethodRouter<App>,
}

/// A file that is brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    /// Up to `limits.prompt_bytes`.
    Sound,
    /// Up to `limits.picture_bytes`.
    Picture,
}

/// What the OpenAPI document says of a route; schemas by name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doc {
    pub summary: &'static str,
    pub query: &'static [&'static str],
    pub request: Option<&'static str>,
    pub response: Option<&'static str>,
    /// Media type of the response; JSON when empty.
    pub media: &'static str,
    pub status: u16,
}

const DESK: &[Role] = &[Role::Agent, Role::Supervisor];
const DIRECTORY: &[Role] = &[Role::Agent, Role::Supervisor, Role::Admin];
const BOARD: &[Role] = &[Role::Supervisor, Role::Admin];
const SUPERVISION: &[Role] = &[Role::Supervisor, Role::Admin, Role::Auditor];
const LISTEN: &[Role] = &[Role::Supervisor, Role::Admin, Role::Auditor];
const EVIDENCE: &[Role] = &[Role::Supervisor, Role::Admin, Role::Auditor, Role::Operator];
/// Who may say that records must stay.
const HOLDING: &[Role] = &[Role::Supervisor, Role::Admin, Role::Auditor];
const EXPORT: &[Role] = &[Role::Admin, Role::Auditor, Role::Operator];
const SETTINGS: &[Role] = &[Role::Admin];
const FOUNDING: &[Role] = &[Role::Operator];
const PEOPLE: &[Role] = &[Role::Admin, Role::Operator];
const OPERATION: &[Role] = &[Role::Supervisor, Role::Admin, Role::Operator];

/// The table.
pub fn table(demo: bool) -> Vec<Route> {
    let mut table = customers::customer_routes();
    table.extend(customers::chat_routes());
    table.extend(staff_routes());
    table.extend(directory_routes());
    table.extend(supervision_routes());
    table.extend(operations_routes());
    table.extend(people_routes());
    table.extend(settings_routes());
    if demo {
        table.push(page("/demo/portal", Access::Public, "The demo county's portal page", get(demo::portal::page)));
    }
    table
}

fn staff_routes() -> Vec<Route> {
    use Access::{Public, Staff, StaffPage};
    vec![
        page("/", Public, "Leads to the login", get(pages::root)),
        page("/login", Public, "The login page", get(pages::login)),
        page("/agent", StaffPage(DESK), "The agent's desk", get(pages::agent)),
        page("/supervisor", StaffPage(SUPERVISION), "The supervisor's board", get(pages::supervisor)),
        Route { rate: Rate::Login, ..api(Method::POST, "/api/v1/login", Public, post(login::login)) }
            .takes("LoginAsk")
            .says("Signs in and sets the session cookie", "LoginAnswer"),
        Route { rate: Rate::Login, ..page("/login/oidc", Public, "Leads to the identity provider", get(sso::start)) },
        Route {
            rate: Rate::Login,
            ..page("/login/oidc/callback", Public, "Comes back from the identity provider", get(sso::callback))
        },
        Route { rate: Rate::Login, ..api(Method::POST, "/login/oidc/backchannel", Public, post(sso::signed_out)) }
            .takes("LogoutNotice")
            .says("The identity provider says that somebody signed out (a form)", ""),
        api(Method::POST, "/api/v1/logout", Staff(&Role::ALL), post(login::logout))
            .by(By::PeopleEnrolling)
            .takes("Nothing")
            .says("Signs out", "")
            .with_status(204),
        api(Method::GET, "/api/v1/me", Staff(&Role::ALL), get(login::me))
            .by(By::PeopleEnrolling)
            .says("Who is signed in", "Me"),
        page("/account", StaffPage(&Role::ALL), "The signed-in person's own page", get(pages::account))
            .by(By::PeopleEnrolling),
        Route {
            rate: Rate::Login,
            ..api(Method::POST, "/api/v1/second-factor", Staff(&Role::ALL), post(factor::begin))
        }
        .by(By::PeopleEnrolling)
        .takes("FactorAsk")
        .says("A fresh secret for an authenticator app, not yet in force", "FactorOffer"),
        Route {
            rate: Rate::Login,
            ..api(Method::POST, "/api/v1/second-factor/confirm", Staff(&Role::ALL), post(factor::confirm))
        }
        .by(By::PeopleEnrolling)
        .takes("FactorConfirm")
        .says("Puts it in force; audited", "RecoveryCodes"),
        Route {
            rate: Rate::Login,
            ..api(Method::POST, "/api/v1/password", Staff(&Role::ALL), post(factor::change_password))
        }
        .by(By::PeopleEnrolling)
        .takes("PasswordChange")
        .says("The signed-in person's own new password; ends the person's other sessions; audited", "")
        .with_status(204),
        Route { rate: Rate::StaffApi, ..api(Method::GET, "/ws", Staff(DESK), get(ws::open)) }
            .by(By::People)
            .says("The agent's socket, subprotocol ringback.v1; messages are ClientMessage and ServerMessage", "")
            .with_status(101),
        api(
            Method::GET,
            "/api/v1/contacts/{contact}",
            Staff(&[Role::Agent, Role::Supervisor, Role::Admin, Role::Auditor]),
            get(contacts::read),
        )
        .says("A contact and all that happened to it", "ContactAnswer"),
        api(Method::GET, "/api/v1/contacts/{contact}/history", Staff(DESK), get(history::list))
            .says("What the same customer had before", "HistoryAnswer"),
        api(Method::GET, "/api/v1/contacts/{contact}/history/{earlier}", Staff(DESK), get(history::transcript))
            .says("What was written in one of them; audited", "TranscriptAnswer"),
        api(Method::GET, "/api/v1/colleagues", Staff(DESK), get(colleagues::list))
            .says("Who else is there to take a chat", "ColleagueList"),
        api(Method::GET, "/api/v1/phone/ice", Staff(DESK), get(ice::read)).by(By::People).says(
            "By which paths the browser's sound may reach us; names and passwords are good for a while",
            "IcePaths",
        ),
    ]
}

/// Whom the tenant knows, and what is filed of them.
fn directory_routes() -> Vec<Route> {
    use Access::Staff;
    vec![
        api(Method::GET, "/api/v1/contacts/{contact}/customer", Staff(DESK), get(cases::read)).says(
            "Whom the directory knows the contact's customer as, and what is filed of the contact",
            "ContactCustomer",
        ),
        api(Method::POST, "/api/v1/contacts/{contact}/case", Staff(DESK), post(cases::open))
            .takes("Nothing")
            .says("Opens the contact's case: linked at once if the customer is known; audited", "ContactCustomer"),
        api(Method::PUT, "/api/v1/contacts/{contact}/case", Staff(DESK), put(cases::save))
            .takes("CaseWrite")
            .says("Files the contact under a customer, or leaves a draft; audited", "ContactCustomer"),
        api(Method::GET, "/api/v1/cases/drafts", Staff(DESK), get(cases::drafts))
            .says("Cases the caller left to be finished", "DraftList"),
        api(Method::GET, "/api/v1/short-codes/{code}", Staff(DESK), get(short_codes::read))
            .says("What was passed to a number outside under this code; audited", "CodeAnswer"),
        api(Method::GET, "/api/v1/customers", Staff(DIRECTORY), get(directory::search))
            .says("People of the directory, by name, number or a portal's id; audited", "CustomerList")
            .asks(&["q"]),
        api(Method::POST, "/api/v1/customers", Staff(DIRECTORY), post(directory::add))
            .takes("CustomerWrite")
            .says("A new person; audited", "CustomerAnswer")
            .with_status(201),
        api(Method::GET, "/api/v1/customers/{customer}", Staff(DIRECTORY), get(directory::read))
            .says("A person with notes and cases; audited", "CustomerAnswer"),
        api(Method::PUT, "/api/v1/customers/{customer}", Staff(DIRECTORY), put(directory::change))
            .takes("CustomerWrite")
            .says("Changes a person; audited", "CustomerAnswer"),
    ]
}

fn supervision_routes() -> Vec<Route> {
    use Access::Staff;
    vec![
        api(Method::GET, "/api/v1/contacts/{contact}/why", Staff(BOARD), get(contacts::why))
            .says("Why a contact is where it is, and why with nobody else", "WhyView"),
        api(Method::GET, "/api/v1/board", Staff(BOARD), get(board::read))
            .says("Queues, agents, who is waiting", "BoardView"),
        api(Method::GET, "/api/v1/board/events", Staff(BOARD), get(board::events))
            .says("The same, each time it changes", "BoardView")
            .in_media("text/event-stream"),
        api(Method::POST, "/api/v1/callbacks/{contact}/cancel", Staff(BOARD), post(board::cancel))
            .takes("Nothing")
            .says("Takes a waiting callback back", "")
            .with_status(204),
        api(Method::GET, "/api/v1/closure", Staff(BOARD), get(closure::read))
            .says("The closure in force", "ClosureAnswer"),
        api(Method::POST, "/api/v1/closure", Staff(BOARD), post(closure::declare))
            .needs(Permission::Close)
            .takes("ClosureAsk")
            .says("Closes the office at once", "")
            .with_status(204),
        api(Method::POST, "/api/v1/closure/preview", Staff(BOARD), post(closure::preview))
            .takes("ClosureAsk")
            .says("Whom a closure would find waiting, and what would become of them; closes nothing", "ClosurePreview"),
        api(Method::DELETE, "/api/v1/closure", Staff(BOARD), delete(closure::lift))
            .needs(Permission::Close)
            .says("Opens it again", "")
            .with_status(204),
        api(Method::GET, "/api/v1/recordings", Staff(LISTEN), get(recordings::search))
            .says("Recorded calls, the latest first; audited", "RecordingList")
            .asks(&["from", "to", "agent", "number", "queue", "q", "page"]),
        api(Method::GET, "/api/v1/recordings/{contact}/audio", Staff(LISTEN), get(playback::audio))
            .needs(Permission::Listen)
            .says("The call as WAV, customer left, agent right; Range; audited", "")
            .asks(&["leg", "download"])
            .in_media("audio/wav"),
        api(Method::GET, "/api/v1/recordings/{contact}/peaks", Staff(LISTEN), get(playback::peaks))
            .needs(Permission::Listen)
            .says("The call's waveform and marks", "PeaksAnswer")
            .asks(&["buckets"]),
        api(Method::GET, "/api/v1/legal-holds", Staff(HOLDING), get(holds::list))
            .says("Contacts whose records stay whatever their age", "HoldList"),
        api(Method::POST, "/api/v1/contacts/{contact}/legal-hold", Staff(HOLDING), post(holds::set))
            .takes("HoldAsk")
            .says("The contact's records stay until the hold is lifted; audited", "HoldItem")
            .with_status(201),
        api(Method::DELETE, "/api/v1/contacts/{contact}/legal-hold", Staff(HOLDING), delete(holds::lift))
            .says("Lifts the hold: what is due goes; audited", "")
            .with_status(204),
        api(Method::GET, "/api/v1/transcripts", Staff(LISTEN), get(transcripts::search))
            .says("Chats, the latest first; audited", "TranscriptList")
            .asks(&["from", "to", "agent", "number", "queue", "q", "page"]),
        api(Method::GET, "/api/v1/transcripts/{contact}", Staff(LISTEN), get(transcripts::read))
            .needs(Permission::Listen)
            .says("What was written in a chat; audited", "TranscriptAnswer"),
        api(Method::GET, "/api/v1/contacts/{contact}/sip", Staff(BOARD), get(ladder::read))
            .says("The SIP messages of a contact's calls, masked", "LadderAnswer"),
        api(Method::GET, "/api/v1/contacts/{contact}/quality", Staff(BOARD), get(quality::read))
            .says("How its legs sounded: loss, jitter, delay and an estimate of what was heard", "QualityAnswer"),
        api(Method::GET, "/api/v1/audit", Staff(EVIDENCE), get(audit::read))
            .says("Who did and looked at what", "AuditList")
            .asks(&["who", "what", "target", "from", "to", "before"]),
        api(Method::GET, "/api/v1/audit/export", Staff(EXPORT), get(audit::export))
            .needs(Permission::Export)
            .says("The same as one CSV or JSON file; audited", "")
            .asks(&["who", "what", "target", "from", "to", "format"])
            .in_media("text/csv"),
        api(Method::GET, "/api/v1/trunks", Staff(OPERATION), get(operations::trunks)).says("The carriers", "TrunkList"),
        api(Method::GET, "/api/v1/alarms", Staff(OPERATION), get(operations::alarms))
            .says("What is wrong right now", "AlarmList"),
        api(Method::GET, "/api/v1/refusals", Staff(OPERATION), get(gate::refusals))
            .says("Calls the gate refused, by cause, since the start", "RefusalList"),
        api(Method::GET, "/api/v1/do-not-call", Staff(OPERATION), get(gate::forbidden))
            .says("Numbers that are never called", "DoNotCallList"),
        api(Method::POST, "/api/v1/do-not-call", Staff(OPERATION), post(gate::forbid))
            .needs(Permission::DoNotCall)
            .takes("DoNotCallAsk")
            .says("Never call this number; audited", "")
            .with_status(204),
        api(Method::DELETE, "/api/v1/do-not-call/{number}", Staff(OPERATION), delete(gate::allow))
            .needs(Permission::DoNotCall)
            .says("Call it again; audited", "")
            .with_status(204),
    ]
}

/// Who comes in: never by a program's key, so that no key can make another.
fn people_routes() -> Vec<Route> {
    use Access::Staff;
    let people =
        |method, path, handler| api(method, path, Staff(PEOPLE), handler).needs(Permission::People).by(By::People);
    vec![
        people(Method::GET, "/api/v1/users", get(people::list)).says("The people of the tenant", "PeopleList"),
        people(Method::POST, "/api/v1/users", post(people::add))
            .takes("PersonAdd")
            .says("Adds a person; audited", "Person")
            .with_status(201),
        people(Method::PATCH, "/api/v1/users/{user}", patch(people::change))
            .takes("PersonChange")
            .says("Changes a person, who is signed out if the rights change; audited", "Person"),
        people(Method::GET, "/api/v1/users/{user}/versions", get(person_versions::list))
            .says("What became of a person, change by change", "PersonVersions"),
        people(Method::POST, "/api/v1/users/{user}/versions/{version}/restore", post(person_versions::bring_back))
            .takes("PersonBack")
            .says("Brings role, rights and desk back as they once were, as a new version; audited", "Person"),
        people(Method::POST, "/api/v1/users/{user}/sign-out", post(people::sign_out))
            .takes("Nothing")
            .says("Ends all sessions of a person at once; audited", "")
            .with_status(204),
        people(Method::GET, "/api/v1/api-keys", get(keys::list)).says("Keys for programs", "KeyList"),
        people(Method::POST, "/api/v1/api-keys", post(keys::add))
            .takes("KeyAdd")
            .says("Makes a key, shown this once; audited", "KeyMade")
            .with_status(201),
        people(Method::DELETE, "/api/v1/api-keys/{key}", delete(keys::revoke))
            .says("Ends a key at once; audited", "")
            .with_status(204),
    ]
}

/// What administrators set for their tenant.
fn settings_routes() -> Vec<Route> {
    use Access::{Staff, StaffPage};
    vec![
        page("/admin", StaffPage(PEOPLE), "The administrator's settings, the operator's tenants", get(pages::admin)),
        api(Method::GET, "/api/v1/tenants", Staff(FOUNDING), get(counties::list))
            .says("Every tenant, and what it still needs for its first call", "TenantList"),
        api(Method::POST, "/api/v1/tenants", Staff(FOUNDING), post(counties::found))
            .needs(Permission::People)
            .by(By::People)
            .takes("TenantFound")
            .says("Founds a tenant with all it begins with, and opens it at once; audited", "TenantItem")
            .with_status(201),
        api(Method::POST, "/api/v1/trunks", Staff(FOUNDING), post(counties::connect))
            .takes("TrunkConnect")
            .says("Connects a carrier at once; audited", "")
            .with_status(201),
        api(Method::GET, "/api/v1/lines", Staff(FOUNDING), get(lines::list))
            .says("Carriers that were connected here, and every state they were in", "LineList"),
        api(Method::PUT, "/api/v1/lines/{line}", Staff(FOUNDING), put(lines::change))
            .takes("LineChange")
            .says("Changes or retires a line at once, as a new version; audited", "LineItem"),
        api(Method::POST, "/api/v1/lines/{line}/versions/{version}/restore", Staff(FOUNDING), post(lines::bring_back))
            .takes("LineBack")
            .says("Brings an earlier state of a line back, as a new version; audited", "LineItem"),
        api(Method::GET, "/api/v1/webhooks", Staff(SETTINGS), get(webhooks::list))
            .says("Programs that are told what happens, and messages that are not sent", "WebhookList"),
        api(Method::POST, "/api/v1/webhooks", Staff(SETTINGS), post(webhooks::add))
            .by(By::People)
            .takes("WebhookAdd")
            .says(
                "Tells another program what happens from now on; the secret is shown this once; audited",
                "WebhookMade",
            )
            .with_status(201),
        api(Method::DELETE, "/api/v1/webhooks/{webhook}", Staff(SETTINGS), delete(webhooks::remove))
            .by(By::People)
            .says("Tells it no more; audited", "")
            .with_status(204),
        api(
            Method::POST,
            "/api/v1/webhooks/{webhook}/messages/{message}/resend",
            Staff(SETTINGS),
            post(webhooks::resend),
        )
        .takes("Nothing")
        .says("Sends a message again that was given up; audited", "")
        .with_status(204),
        Route {
            upload: Some(Upload::Sound),
            ..api(Method::POST, "/api/v1/sounds", Staff(SETTINGS), post(sounds::add))
        }
        .says("Brings in a WAV for prompts; it is made 8 kHz mono; audited", "SoundMade")
        .with_status(201),
        api(Method::GET, "/api/v1/sounds/{sound}", Staff(SETTINGS), get(sounds::read))
            .says("A sound as callers hear it", "")
            .in_media("audio/wav"),
        Route {
            upload: Some(Upload::Picture),
            ..api(Method::POST, "/api/v1/pictures", Staff(SETTINGS), post(pictures::add))
        }
        .says("Brings in a logo: PNG, JPEG or WebP, 16 to 2000 dots each side; audited", "PictureMade")
        .with_status(201),
        api(Method::GET, "/api/v1/pictures/{picture}", Staff(SETTINGS), get(pictures::read))
            .says("A picture that was brought in", "")
            .in_media("image/png"),
        api(Method::POST, "/api/v1/privacy/find", Staff(SETTINGS), post(privacy::find))
            .needs(Permission::Export)
            .takes("PersonAsk")
            .says("What is kept of one person, found by number or a portal's id; audited", "PersonAnswer"),
        api(Method::POST, "/api/v1/privacy/export", Staff(SETTINGS), post(privacy::export))
            .needs(Permission::Export)
            .takes("PersonAsk")
            .says("All of it as one ZIP archive: person.json and the sound; audited", "")
            .in_media("application/zip"),
        api(Method::POST, "/api/v1/privacy/erase", Staff(SETTINGS), post(privacy::erase))
            .needs(Permission::Export)
            .by(By::People)
            .takes("PersonAsk")
            .says(
                "Erases it, as it was found; refused while a contact lives or is on legal hold; audited",
                "ErasedAnswer",
            ),
        api(Method::GET, "/api/v1/settings", Staff(SETTINGS), get(settings::read))
            .says("The settings in force", "SettingsAnswer"),
        api(Method::PUT, "/api/v1/settings", Staff(SETTINGS), put(settings::change))
            .takes("SettingsChange")
            .says("Puts other settings into force at once, as a new version; audited", "SettingsAnswer"),
        api(Method::GET, "/api/v1/settings/versions", Staff(SETTINGS), get(settings::versions))
            .says("Who changed what, the latest first", "VersionList"),
        api(Method::POST, "/api/v1/settings/versions/{version}/restore", Staff(SETTINGS), post(settings::bring_back))
            .takes("SettingsBack")
            .says("Puts an earlier version into force again, as a new one; audited", "SettingsAnswer"),
    ]
}

fn operations_routes() -> Vec<Route> {
    use Access::{Operations, Public};
    let plain =
        |path, summary, access, handler| Route { access, rate: Rate::Free, ..page(path, access, summary, handler) };
    vec![
        plain("/healthz", "The process runs", Public, get(operations::healthz)).in_media("text/plain"),
        plain("/readyz", "The server takes requests", Public, get(operations::readyz)).in_media("application/json"),
        plain("/metrics", "Counters for Prometheus", Operations, get(operations::metrics)).in_media("text/plain"),
        api(Method::GET, "/api/v1/openapi.json", Public, get(openapi::read)).says("This description", ""),
    ]
}

fn page(path: &'static str, access: Access, summary: &'static str, handler: MethodRouter<App>) -> Route {
    Route {
        method: Method::GET,
        path,
        access,
        rate: Rate::Pages,
        needs: None,
        by: By::Everybody,
        upload: None,
        doc: html(summary),
        handler,
    }
}

const fn html(summary: &'static str) -> Doc {
    Doc { summary, query: &[], request: None, response: None, media: "text/html", status: 200 }
}

fn api(method: Method, path: &'static str, access: Access, handler: MethodRouter<App>) -> Route {
    let rate = if matches!(access, Access::Staff(_)) { Rate::StaffApi } else { Rate::PublicApi };
    let doc = Doc { status: 200, ..Doc::default() };
    Route { method, path, access, rate, needs: None, by: By::Everybody, upload: None, doc, handler }
}

impl Route {
    fn says(mut self, summary: &'static str, response: &'static str) -> Self {
        self.doc.summary = summary;
        self.doc.response = Some(response).filter(|name| !name.is_empty());
        self
    }
    /// Only for those with that permission.
    fn needs(mut self, permission: Permission) -> Self {
        self.needs = Some(permission);
        self
    }
    fn by(mut self, by: By) -> Self {
        self.by = by;
        self
    }
    fn takes(mut self, request: &'static str) -> Self {
        self.doc.request = Some(request);
        self
    }
    fn asks(mut self, query: &'static [&'static str]) -> Self {
        self.doc.query = query;
        self
    }
    fn in_media(mut self, media: &'static str) -> Self {
        self.doc.media = media;
        self
    }
    fn with_status(mut self, status: u16) -> Self {
        self.doc.status = status;
        self
    }
}

/// The router: the table, and problem documents for whatever is not in it.
pub fn router(app: &App) -> Router {
    let mut router = Router::new();
    for route in table(app.demo.is_some()) {
        let Route { access, rate, needs, by, .. } = route;
        let handler = match route.upload {
            Some(Upload::Sound) => route.handler.layer(DefaultBodyLimit::max(app.limits().prompt_bytes)),
            Some(Upload::Picture) => route.handler.layer(DefaultBodyLimit::max(app.limits().picture_bytes)),
            None => route.handler,
        };
        let guard = Guard { app: app.clone(), access, rate, needs, by };
        router = router.route(route.path, handler.route_layer(middleware::from_fn_with_state(guard, guard::guard)));
    }
    router
        .fallback(|| async { ApiError::not_found() })
        .method_not_allowed_fallback(|| async { ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed") })
        .layer(DefaultBodyLimit::max(app.limits().body_bytes))
        .layer(middleware::from_fn_with_state(app.clone(), edge::edge))
        .with_state(app.clone())
}
