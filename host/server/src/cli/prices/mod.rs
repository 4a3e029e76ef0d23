//! `tollgate prices`: catalogues of prices, from elsewhere and of one's own.

mod catalogue;
mod compare;
mod genai;
mod import;
mod json;
mod list;
mod litellm;
mod read;
mod source;
mod units;
mod write;

use clap::Subcommand;

#[derive(Subcommand)]
pub enum PricesCommand {
    /// Turn a catalogue that others keep into one of ours
    ///
    /// It goes into the folder `prices` of the policies, from which a running service takes it
    /// over. What it has and ours cannot say is listed.
    Import(import::ImportArgs),
    /// List all prices, in the order in which they are asked
    List(list::ListArgs),
    /// Show all that is known of a model's prices
    Show(list::ShowArgs),
    /// Compare two catalogues: what one has more than the other, and what costs otherwise
    Diff(compare::DiffArgs),
}

pub fn run(command: PricesCommand) -> anyhow::Result<()> {
    match command {
        PricesCommand::Import(args) => import::run(&args),
        PricesCommand::List(args) => list::list(&args),
        PricesCommand::Show(args) => list::show(&args),
        PricesCommand::Diff(args) => compare::run(&args),
    }
}
