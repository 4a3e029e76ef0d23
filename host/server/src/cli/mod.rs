//! The commands.

mod backup;
mod config;
mod export;
mod interrupt;
mod new_file;
mod openapi;
mod plugin;
mod policies;
mod prices;
mod progress;
mod rerate;
mod restore;
mod serve;
mod verify;

use std::panic::PanicHookInfo;

use anyhow::Context;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use tollgate_engine::compile_as_child;

use crate::load::{self, LoadArgs};
use crate::settings::{FileSettings, Place, Settings};

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
    /// Copy all events out, one a line
    Export(export::ExportArgs),
    /// Copy out all that the ledger is made of, to restore from
    ///
    /// From a running service, which goes on meanwhile, or from the folder of a stopped one. The
    /// backup holds what was on disk when it began. The folder of the policies is not part of it.
    Backup(backup::BackupArgs),
    /// Make a ledger's folder out of a backup
    ///
    /// The folder must be empty or not there, and appears only when the whole backup was found to
    /// be undamaged and is on disk again.
    Restore(restore::RestoreArgs),
    /// Add up all events anew, and name what is stored otherwise
    Verify(Place),
    /// Show what decides in a running service: its policies, and what was refused
    Policies(policies::PoliciesArgs),
    /// Print the description of the HTTP interface, OpenAPI 3.1
    Openapi,
    /// Build plugins
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// What the service starts for each plugin that it has not compiled before
    #[command(hide = true)]
    CompilePlugin,
    /// Price what was recorded again, and show what changes
    ///
    /// Old, new and difference, by provider, model and the plan that the subject has now. Events
    /// whose caller gave the cost, and those that the new prices do not price, stay as they are.
    Rerate(rerate::RerateArgs),
    /// Import, list and compare catalogues of prices
    #[command(subcommand)]
    Prices(prices::PricesCommand),
}

/// Runs the command that the program was started with.
pub async fn run() -> anyhow::Result<()> {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        end_on_damage(panic);
        others(panic);
    }));
    match Cli::parse().command {
        Command::Serve(first) => serve::run(settings("serve", &first.place)?.0).await,
        Command::Config(first) => {
            let (_, matches, file) = settings::<Settings>("config", &first.place)?;
            config::run(&matches, &file)
        }
        Command::Export(first) => export::run(settings("export", &first.place)?.0).await,
        Command::Backup(first) => backup::run(settings("backup", &first.place)?.0).await,
        Command::Restore(first) => restore::run(settings("restore", &first.place)?.0).await,
        Command::Verify(first) => verify::run(&settings::<Place>("verify", &first)?.0),
        Command::Load(args) => load::run(args).await,
        Command::Policies(args) => policies::run(args).await,
        Command::Openapi => openapi::run(),
        Command::Plugin(command) => plugin::run(command),
        Command::CompilePlugin => compile_plugin(),
        Command::Prices(command) => prices::run(command),
        Command::Rerate(first) => rerate::run(settings("rerate", &first.place)?.0).await,
    }
}

/// Compiles what stands on the standard input; its parent reads what came of it.
fn compile_plugin() -> anyhow::Result<()> {
    compile_as_child(std::io::stdin().lock(), std::io::stdout().lock()).or_else(|error| {
        eprintln!("{error}");
        std::process::exit(error.exit_code())
    })
}

/// Ends the process with a clear word if the panic says that the ledger's data are damaged.
fn end_on_damage(panic: &PanicHookInfo<'_>) {
    if let Some(damage) = tollgate_ledger::store::sled::damage(panic) {
        eprintln!("tollgate: the ledger failed: {damage}");
        std::process::exit(1);
    }
}

/// Parses the command line again, now that it has said which file lies beneath it.
fn settings<T: FromArgMatches>(
    command: &str,
    first: &Place,
) -> anyhow::Result<(T, ArgMatches, FileSettings)> {
    let file = FileSettings::read(first.config.as_deref())?;
    let with_file = Cli::command().mut_subcommand(command, |command| file.apply(command));
    let (_, matches) =
        with_file.get_matches().remove_subcommand().context("the command is gone")?;
    Ok((T::from_arg_matches(&matches)?, matches, file))
}
