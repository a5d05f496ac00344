//! Legs on loopback: real sockets, real SRTP, tones measured by Goertzel.

mod browser;
mod carrier;
mod codecs;
mod encrypted;
mod rig;
mod room;
