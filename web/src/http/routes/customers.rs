//! What customers call: pages, callbacks and chats. Nobody is signed in here; a contact is reached by its link.

use axum::{
    http::Method,
    routing::{get, post},
};

use super::{Access, Doc, Rate, Route, api, html, page};
use crate::http::{availability, callbacks, callme, chat, numbers, pages, pictures, status, welcome};

pub(super) fn customer_routes() -> Vec<Route> {
    use Access::{Public, StatusLink};
    vec![
        page("/t/{tenant}", Public, "The tenant's page for customers", get(welcome::page)),
        page("/t/{tenant}/call-me", Public, "The Call-Me page", get(callme::page)),
        Route {
            method: Method::POST,
            rate: Rate::Callbacks,
            doc: Doc { status: 303, ..html("The Call-Me form without JavaScript; leads to the status page") },
            ..page("/t/{tenant}/call-me", Public, "", post(callme::submit))
        },
        page("/t/{tenant}/status/{token}", StatusLink, "The customer's live page", get(status::page)),
        page("/t/{tenant}/theme.css", Public, "The tenant's colours", get(pages::theme)),
        Route {
            doc: Doc { media: "image/png", ..html("The tenant's logo in force: PNG, JPEG or WebP") },
            ..page("/t/{tenant}/logo/{picture}", Public, "", get(pictures::logo))
        },
        api(Method::GET, "/api/v1/t/{tenant}/availability", Public, get(availability::read))
            .says("Whether the tenant can be asked for a callback now", "AvailabilityAnswer"),
        api(Method::GET, "/api/v1/t/{tenant}/slots", Public, get(availability::slots))
            .says("The times a customer may choose", "SlotsAnswer"),
        Route {
            rate: Rate::Callbacks,
            ..api(Method::POST, "/api/v1/t/{tenant}/callbacks", Public, post(callbacks::create))
        }
        .takes("CallbackAsk")
        .says("Asks for a callback", "CallbackAnswer")
        .with_status(201),
        Route {
            rate: Rate::Callbacks,
            ..api(Method::POST, "/api/v1/t/{tenant}/numbers", Public, post(numbers::create))
        }
        .takes("NumberAsk")
        .says("Lends a number to call, or a number and a code, by which the visit is found again", "NumberAnswer")
        .with_status(201),
        api(Method::GET, "/api/v1/status/{token}", StatusLink, get(status::read))
            .says("How the customer's callback stands", "StatusPage"),
        api(Method::GET, "/api/v1/status/{token}/events", StatusLink, get(status::events))
            .says("The same, each time it changes", "StatusPage")
            .in_media("text/event-stream"),
        api(Method::POST, "/api/v1/status/{token}/cancel", StatusLink, post(status::cancel))
            .takes("Nothing")
            .says("Takes the callback back", "StatusPage"),
        Route {
            rate: Rate::Callbacks,
            ..api(Method::POST, "/api/v1/status/{token}/number", StatusLink, post(status::change_number))
        }
        .takes("NumberChange")
        .says("Changes the number to be called", "StatusPage"),
        api(Method::POST, "/api/v1/status/{token}/time", StatusLink, post(status::choose_time))
            .takes("TimeChoice")
            .says("Plans the call for another time, or for as soon as possible", "StatusPage"),
        Route { rate: Rate::Free, ..page("/icon.svg", Public, "The icon", get(pages::icon)) },
        Route { rate: Rate::Free, ..page("/favicon.ico", Public, "The icon, by its old name", get(pages::icon)) },
        page("/embed.js", Public, "The launcher for foreign pages", get(pages::embed)),
        Route { rate: Rate::Free, ..page("/assets/{*file}", Public, "Scripts and styles", get(pages::asset)) },
        Route { rate: Rate::Free, ..page("/static/{*file}", Public, "Files of the pages", get(pages::static_file)) },
    ]
}

/// The customer's side of chats.
pub(super) fn chat_routes() -> Vec<Route> {
    use Access::{Public, StatusLink};
    let link = |method, path, handler| Route { rate: Rate::ChatApi, ..api(method, path, StatusLink, handler) };
    vec![
        page("/t/{tenant}/chat", Public, "The chat page", get(chat::page)),
        Route { rate: Rate::Callbacks, ..api(Method::POST, "/api/v1/t/{tenant}/chats", Public, post(chat::create)) }
            .takes("ChatAsk")
            .says("Asks for a chat", "ChatAnswer")
            .with_status(201),
        link(Method::GET, "/api/v1/chat/{token}", get(chat::read))
            .says("How the chat stands and what was said", "ChatNews")
            .asks(&["after"]),
        link(Method::GET, "/api/v1/chat/{token}/poll", get(chat::poll))
            .says("The same as soon as something is new, for networks without WebSockets", "ChatNews")
            .asks(&["after", "wait", "tag"]),
        link(Method::GET, "/api/v1/chat/{token}/socket", get(chat::open))
            .says(
                "The customer's socket, subprotocol ringback.chat.v1; messages are CustomerMessage and CustomerNews",
                "",
            )
            .asks(&["after"])
            .with_status(101),
        link(Method::POST, "/api/v1/chat/{token}/messages", post(chat::say))
            .takes("ChatSay")
            .says("Writes a message; answered when it is kept", "ChatSaid"),
        link(Method::POST, "/api/v1/chat/{token}/seen", post(chat::seen))
            .takes("ChatSeen")
            .says("How far the customer has come", "")
            .with_status(204),
        link(Method::POST, "/api/v1/chat/{token}/typing", post(chat::typing))
            .takes("Nothing")
            .says("The customer is typing", "")
            .with_status(204),
        link(Method::POST, "/api/v1/chat/{token}/end", post(chat::end))
            .takes("Nothing")
            .says("The customer ends the chat", "ChatStatus"),
        Route {
            rate: Rate::Callbacks,
            ..link(Method::POST, "/api/v1/chat/{token}/call-instead", post(chat::call_instead))
        }
        .takes("CallInstead")
        .says(
            "Who waits is called instead, at the same place; the link then opens the callback's status too",
            "ChatStatus",
        ),
        link(Method::GET, "/api/v1/chat/{token}/transcript", get(chat::transcript))
            .says("The chat as a text file", "")
            .in_media("text/plain"),
    ]
}
