//! The customer's side of a chat: asking for one, the page, the socket, and the same by plain requests for networks that
//! let no socket through. Whoever holds the chat's link is its customer.

mod ask;
mod callback;
mod link;
mod names;
mod page;
mod socket;
mod words;

pub(super) use self::page::{Question, public_faq};
pub use self::{
    ask::{ChatAnswer, ChatAsk, create},
    callback::{CallInstead, CallOffer, call_instead},
    link::{ChatNews, ChatSaid, ChatSay, ChatSeen, end, poll, read, say, seen, transcript, typing},
    names::Names,
    page::page,
    socket::{CustomerMessage, CustomerNews, PROTOCOL, open},
    words::{ChatLine, ChatStage, ChatStatus, Writer},
};
pub(crate) use self::{
    callback::call_from_chat,
    words::{body_within, is_client_id},
};
