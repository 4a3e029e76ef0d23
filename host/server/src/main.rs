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
    keep_pages_small();
    match cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tollgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The allocator asks for pages of 2 MiB, each of which the kernel clears at the first touch: that
/// made a start a sixth longer, and doubled what an idle service holds. Where it cannot be turned
/// off, it is only that.
#[cfg(target_os = "linux")]
fn keep_pages_small() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(not(target_os = "linux"))]
fn keep_pages_small() {}
