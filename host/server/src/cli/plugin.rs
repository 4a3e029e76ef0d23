//! `tollgate plugin`: for those who write plugins, from an empty folder to what the service loads.

mod answer;
mod bench;
mod build;
mod candidate;
mod case;
mod check;
mod difference;
mod figures;
mod inspect;
mod new;
mod run;
mod test;
mod wit;

use clap::Subcommand;
use tollgate_engine::Workbench;
use tracing_subscriber::EnvFilter;

use crate::app::compiling;
use crate::settings::COMPILE_SECONDS;

#[derive(Subcommand)]
pub enum PluginCommand {
    /// Make a folder with a plugin that builds, and passes its own tests
    New(new::NewArgs),
    /// Turn a core WebAssembly module into a component
    Build(build::BuildArgs),
    /// Print what a plugin is: its kind, version, imports, size, needs and configuration
    Inspect(inspect::InspectArgs),
    /// Do everything that the service does before it makes a policy active
    ///
    /// The messages are those that the service would give. Nothing is written.
    Check(check::CheckArgs),
    /// Put cases to a policy, and show where its answers are not those expected
    Test(test::TestArgs),
    /// Measure time, fuel and memory of calls against the policy's limits
    Bench(bench::BenchArgs),
    /// Put one call to a policy, and print its answer
    Run(run::RunArgs),
    /// Print the contract between plugins and the service, or write it into a folder
    Wit(wit::WitArgs),
}

pub fn run(command: PluginCommand) -> anyhow::Result<()> {
    show_logs()?;
    match command {
        PluginCommand::New(args) => new::run(&args),
        PluginCommand::Build(args) => build::run(&args),
        PluginCommand::Inspect(args) => inspect::run(&args),
        PluginCommand::Check(args) => check::run(&args),
        PluginCommand::Test(args) => test::run(&args),
        PluginCommand::Bench(args) => bench::run(&args),
        PluginCommand::Run(args) => run::run(&args),
        PluginCommand::Wit(args) => wit::run(&args),
    }
}

/// Takes policies as a service does that is started without options, and keeps nothing.
fn workbench() -> anyhow::Result<Workbench> {
    Ok(Workbench::new(Some(compiling(None, COMPILE_SECONDS)?))?)
}

/// Shows what plugins write to their log, and why they panicked, on standard error.
fn show_logs() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new("off,tollgate::policy=debug")?)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .init();
    Ok(())
}
