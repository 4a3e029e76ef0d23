mod answer;
mod client;
mod compiled;
mod home;
mod program;
mod server;
mod usd;
mod wait;

pub use answer::Answer;
pub use client::Client;
pub use home::Home;
pub use program::{signal, tollgate};
pub use server::{CLOCK_START, Server, shared};
pub use usd::usd;
pub use wait::{PATIENCE, eventually, eventually_within};
