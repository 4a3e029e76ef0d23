//! The commands.

mod config;
mod plugin;
mod serve;

use anyhow::Context;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::load::{self, LoadArgs};
use crate::settings::{FileSettings, Settings};

/// Meters, limits and prices the use of APIs.
#[derive(Parser)]
#[command(name = "tollgate", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve(Settings),
    /// Print the settings in force, and where each came from
    Config(Settings),
    /// Put a running service under load
    Load(LoadArgs),
    /// Build plugins
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
}

/// Runs the command that the program was started with.
pub async fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Serve(first) => serve::run(settings("serve", &first)?.0).await,
        Command::Config(first) => {
            let (_, matches, file) = settings("config", &first)?;
            config::run(&matches, &file)
        }
        Command::Load(args) => load::run(args).await,
        Command::Plugin(command) => plugin::run(command),
    }
}

/// Parses the command line again, now that it has said which file lies beneath it.
fn settings(
    command: &str,
    first: &Settings,
) -> anyhow::Result<(Settings, ArgMatches, FileSettings)> {
    let file = FileSettings::read(first.config.as_deref())?;
    let with_file = Cli::command().mut_subcommand(command, |command| file.apply(command));
    let (_, matches) =
        with_file.get_matches().remove_subcommand().context("the command is gone")?;
    Ok((Settings::from_arg_matches(&matches)?, matches, file))
}
