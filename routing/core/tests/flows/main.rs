//! Days and moments of the core, event by event: each file is about one part of what it does. One crate, so that the small world
//! they live in is built once.

#[macro_use]
mod world;

mod arrivals;
mod booking;
mod calls;
mod chats;
mod codes;
mod consult;
mod customer;
mod escalation;
mod ladder;
mod main_path;
mod menu;
mod offers;
mod opening;
mod outbound;
mod overflow;
mod random_days;
mod restarts;
mod transfer;
mod views;
mod waits;
