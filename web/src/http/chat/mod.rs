//! The customer's side of a chat: asking for one, the page, the socket, and the same by plain requests for networks that
//! let no socket through. Whoever holds the chat's link is its customer.

mod ask;
mod link;
mod page;
mod socket;
mod words;

pub(crate) use self::words::{body_within, is_client_id};
pub use self::{
    ask::{ChatAnswer, ChatAsk, create},
    link::{ChatNews, ChatSaid, ChatSay, ChatSeen, end, poll, read, say, seen, transcript, typing},
    page::page,
    socket::{CustomerMessage, CustomerNews, PROTOCOL, open},
    words::{ChatLine, ChatStage, ChatStatus, Writer},
};
