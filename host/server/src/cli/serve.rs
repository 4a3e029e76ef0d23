//! `tollgate serve`: the service itself.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::app;
use crate::settings::Settings;

pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log)
        .with_context(|| format!("`{}` is no log filter", settings.log))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
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
