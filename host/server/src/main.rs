//! Tollgate meters, limits and prices the use of APIs.

mod app;
mod archive;
mod cli;
mod clock;
mod error_log;
mod http;
mod load;
mod notify;
mod service;
mod settings;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tollgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}
