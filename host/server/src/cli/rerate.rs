//! `tollgate rerate`: what was recorded, under other prices.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::Url;
use tollgate_domain::Timestamp;
use tollgate_engine::{Options, Policies};

use crate::app::{self, Ledger};
use crate::clock::Clock;
use crate::http::{RerateQuestion, RerateView};
use crate::service::Service;
use crate::settings::Place;

#[derive(Args, Clone, Debug)]
pub struct RerateArgs {
    #[command(flatten)]
    pub place: Place,

    /// Leave out what occurred earlier (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,

    /// Leave out what occurred then or later
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,

    /// The manifest to price by, under the name that it has among the policies [default: those]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Folder of the policies: plugins, plans, and what the manifest includes
    #[arg(long, env = "TOLLGATE_POLICIES", value_name = "FOLDER", default_value = "./policies")]
    policies: PathBuf,

    /// A running service whose events are priced by its own policies' folder
    #[arg(long)]
    url: Option<Url>,

    /// Write a correction for each event that costs something else
    #[arg(long)]
    apply: bool,
}

pub async fn run(args: RerateArgs) -> anyhow::Result<()> {
    let question = question(&args)?;
    let answer = match &args.url {
        Some(url) => from_service(url, &question).await?,
        None => from_folder(&args, question).await?,
    };
    println!("{answer}");
    Ok(())
}

fn question(args: &RerateArgs) -> anyhow::Result<RerateQuestion> {
    let (mut policy, mut manifest) = (None, None);
    if let Some(path) = &args.policy {
        let text = std::fs::read_to_string(path);
        manifest = Some(text.with_context(|| format!("cannot read {}", path.display()))?);
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
        policy = name;
    }
    Ok(RerateQuestion { from: args.from, to: args.to, policy, manifest, apply: args.apply })
}

async fn from_service(url: &Url, question: &RerateQuestion) -> anyhow::Result<String> {
    let url = format!("{}/v1/rerate", url.as_str().trim_end_matches('/'));
    let answer = reqwest::Client::new().post(&url).json(question).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("{url} answered {status}: {text}");
    }
    Ok(text)
}

async fn from_folder(args: &RerateArgs, question: RerateQuestion) -> anyhow::Result<String> {
    let clock = Clock::system();
    let ledger: Arc<Ledger> = Arc::new(app::open_ledger_in(&args.place.data)?);
    let policies = Policies::open(Options::new(&args.policies), Arc::new(move || clock.now()))
        .with_context(|| format!("cannot use policies in {}", args.policies.display()))?;
    let service = Service::new(ledger.clone(), policies, clock);
    let apply = question.apply;
    let ask = question.ask().map_err(|problem| anyhow::anyhow!("{}", problem.detail))?;
    let bar = indicatif::ProgressBar::new_spinner().with_message("events priced");
    let rerated = service.rerate(ask, |events| bar.set_position(events)).await;
    bar.finish_and_clear();
    drop(service);
    app::close(ledger, clock).await?;
    Ok(serde_json::to_string_pretty(&RerateView::new(&rerated?, apply))?)
}
