//! The engine from outside: real plugins and hostile ones in a folder of their own.
//!
//! - `beside`: shadows and canaries;
//! - `calls`: what the shipped policies answer;
//! - `candidates`: what is refused, at which step and in which words;
//! - `faults`: what a hostile policy can do, which is nothing;
//! - `compiling`: in a process of its own, which may fail in every way;
//! - `conduct`: policies that turn out to be bad once they are active;
//! - `documents`: what is laid over a policy at runtime;
//! - `history`: what was active is kept, and can be active again;
//! - `logging`: what policies write;
//! - `quiet`: questions that a policy says it need not be asked;
//! - `reload`: how one set follows another;
//! - `watching`: how soon a change is seen.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

mod beside;
mod calls;
mod candidates;
mod compiling;
mod conduct;
mod documents;
mod faults;
mod history;
mod logging;
mod quiet;
mod reload;
mod support;
mod watching;
