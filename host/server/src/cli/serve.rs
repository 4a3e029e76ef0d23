//! `tollgate serve`: the service itself.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::app;
use crate::error_log::{self, ErrorLogPath};
use crate::settings::Settings;

pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log)
        .with_context(|| format!("`{}` is no log filter", settings.log))?;
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let errors = match settings.error_log.0.as_deref().map(error_log::errors) {
        // Nobody asked for it.
        Some(Err(_)) if settings.error_log == ErrorLogPath::default() => None,
        opened => opened
            .transpose()
            .with_context(|| format!("cannot write the error log {}", settings.error_log))?,
    };
    tracing_subscriber::registry().with(log.with_filter(filter)).with(errors).init();
    end_on_panic();
    app::run(&settings).await
}

/// A panic is a bug, and what it leaves half done may grant the same unit twice: the process
/// ends, and a start goes on from what is on disk.
fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        super::end_on_damage(panic);
        tracing::error!("tollgate has a bug and ends: {panic}");
        std::process::abort();
    }));
}
