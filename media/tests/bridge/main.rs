//! Legs on loopback: real sockets, real SRTP, tones measured by Goertzel.

mod browser;
mod carrier;
mod encrypted;
mod rig;
mod room;
