//! Tickets through a real Redis and the real apalis.

mod consuming;
mod ringing;
mod traps;
mod world;
