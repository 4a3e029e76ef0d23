//! What can be configured. Each setting is one field here: its name, flag, environment variable,
//! default, type and description all follow from it.

mod notify;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};
use http::HeaderValue;
use tollgate_domain::Timestamp;
use toml::de::{DeTable, DeValue};

pub use self::notify::NotifySettings;
use crate::error_log::ErrorLogPath;

/// Flags win over the environment, the environment over `tollgate.toml`, and that over the
/// defaults. In the file, a setting has its field's name.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Address to listen on; port 0 takes any free one
    #[arg(long, env = "TOLLGATE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Folder of the policies
    #[arg(long, env = "TOLLGATE_POLICIES", value_name = "FOLDER", default_value = "./policies")]
    pub policies: PathBuf,

    /// Run as if started at this time (RFC 3339)
    #[arg(long, env = "TOLLGATE_CLOCK_START", value_name = "TIME")]
    pub clock_start: Option<Timestamp>,

    /// Origins whose pages may read the answers, separated by commas; `*` for all
    #[arg(long, env = "TOLLGATE_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origin: Vec<HeaderValue>,

    /// For how many days refusals are kept; how many there were is kept for ever
    #[arg(
        long,
        env = "TOLLGATE_REFUSALS_DAYS",
        value_name = "DAYS",
        default_value_t = 90,
        value_parser = clap::value_parser!(u32).range(1..=36_500)
    )]
    pub refusals_days: u32,

    /// How much processor time a plugin may take to compile, in seconds on all cores together
    #[arg(
        long,
        env = "TOLLGATE_COMPILE_SECONDS",
        value_name = "SECONDS",
        default_value_t = COMPILE_SECONDS,
        value_parser = clap::value_parser!(u32).range(1..=3_600)
    )]
    pub compile_seconds: u32,

    /// What is logged: a level, or a filter such as `warn,tollgate=debug`
    #[arg(long, env = "TOLLGATE_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// File that errors are written to besides, moved aside when it is full; `off` for none, as in
    /// a container
    #[arg(long, env = "TOLLGATE_ERROR_LOG", value_name = "FILE", default_value_t)]
    pub error_log: ErrorLogPath,

    #[command(flatten)]
    pub notify: NotifySettings,

    #[command(flatten)]
    pub place: Place,
}

/// Where things are: all that a command needs that works on a ledger without serving it.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Folder of the ledger
    #[arg(long, env = "TOLLGATE_DATA", value_name = "FOLDER", default_value = "./data")]
    pub data: PathBuf,

    /// File of settings [default: tollgate.toml, if there is one]
    #[arg(long, env = "TOLLGATE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How much processor time a plugin may take to compile, unless somebody says otherwise.
pub const COMPILE_SECONDS: u32 = 120;

/// Where a file of settings is looked for when nobody names one.
const FILE: &str = "tollgate.toml";

/// The settings that a file gives, as texts, in the order of the file.
#[derive(Debug, Default)]
pub struct FileSettings {
    path: PathBuf,
    values: Vec<(String, Vec<String>)>,
}

impl FileSettings {
    /// Reads the file that is named, or the one in the working directory if there is one.
    pub fn read(named: Option<&Path>) -> anyhow::Result<Self> {
        let path = named.unwrap_or(Path::new(FILE));
        if named.is_none() && !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read settings from {}", path.display()))?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> anyhow::Result<Self> {
        let table = DeTable::parse(text).with_context(|| path.display().to_string())?;
        let mut values = Vec::new();
        for (key, value) in table.into_inner() {
            let line = 1 + text[..key.span().start].matches('\n').count();
            let name = key.get_ref().as_ref();
            let texts = texts(value.get_ref())
                .and_then(|texts| check(name, &texts).map(|()| texts))
                .with_context(|| format!("{}:{line}", path.display()))?;
            values.push((name.to_owned(), texts));
        }
        Ok(Self { path: path.to_owned(), values })
    }

    /// Makes the file's values the defaults of a command that takes settings, or some of them.
    pub fn apply(&self, command: Command) -> Command {
        command.mut_args(|arg| match self.values.iter().find(|(name, _)| arg.get_id() == name) {
            Some((_, texts)) => arg.default_values(texts.clone()),
            None => arg,
        })
    }

    /// Where the value of a setting came from.
    fn source(&self, name: &str, matches: &ArgMatches) -> String {
        match matches.value_source(name) {
            Some(ValueSource::CommandLine) => "flag".into(),
            Some(ValueSource::EnvVariable) => "environment".into(),
            _ if self.values.iter().any(|(own, _)| own == name) => self.path.display().to_string(),
            _ => "default".into(),
        }
    }

    /// One line a setting: its name, what is in force, and where that came from.
    pub fn describe(&self, matches: &ArgMatches) -> String {
        let command = Settings::augment_args(Command::new("settings"));
        let lines = command.get_arguments().map(|arg| {
            let name = arg.get_id().as_str();
            let raw = matches.get_raw(name).into_iter().flatten();
            let values: Vec<_> = raw.map(|value| value.to_string_lossy()).collect();
            let value = match &values[..] {
                [] => "-".to_owned(),
                // What clap must not show of the environment is a secret.
                _ if arg.is_hide_env_values_set() => "********".to_owned(),
                values => values.join(","),
            };
            format!("{name:<26} {value:<32} {}\n", self.source(name, matches))
        });
        lines.collect()
    }
}

/// Whether there is such a setting, and it takes these values.
fn check(name: &str, texts: &[String]) -> anyhow::Result<()> {
    let command = Settings::augment_args(Command::new("settings").no_binary_name(true));
    // The file cannot say where the file is.
    let known = command.get_arguments().find(|arg| arg.get_id() == name && name != "config");
    let Some(flag) = known.and_then(|arg| arg.get_long()) else {
        bail!("there is no setting `{name}`");
    };
    let flags: Vec<_> = texts.iter().map(|text| format!("--{flag}={text}")).collect();
    match command.try_get_matches_from(flags) {
        Ok(_) => Ok(()),
        // What follows the first line is advice on flags.
        Err(error) => bail!("{}", error.to_string().lines().next().unwrap_or("cannot be read")),
    }
}

/// A value as it would be written in a flag.
fn texts(value: &DeValue<'_>) -> anyhow::Result<Vec<String>> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(values) => {
            let each = values.iter().map(|value| texts(value.get_ref()));
            return Ok(each.collect::<anyhow::Result<Vec<_>>>()?.concat());
        }
        DeValue::Float(_) | DeValue::Table(_) => bail!("no setting has a value of this kind"),
    };
    Ok(vec![text])
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn resolve(file: &str, flags: &[&str]) -> (Settings, String) {
        let file = FileSettings::parse(Path::new("tollgate.toml"), file).unwrap();
        let command = file.apply(Settings::augment_args(Command::new("serve")));
        let matches = command.get_matches_from([&["serve"], flags].concat());
        (Settings::from_arg_matches(&matches).unwrap(), file.describe(&matches))
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let file = "listen = \"127.0.0.1:1\"\nclock_start = 2025-01-01T00:00:00Z\n";
        let (settings, described) = resolve(file, &["--listen", "127.0.0.1:2"]);
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.clock_start.unwrap().to_string(), "2025-01-01T00:00:00Z");
        assert_eq!(settings.place.data, Path::new("./data"));
        let sources: Vec<_> =
            described.lines().map(|line| line.split_whitespace().last().unwrap()).collect();
        assert_eq!(sources[..3], ["flag", "default", "tollgate.toml"]);
    }

    #[test]
    fn several_origins_are_a_list_in_the_file() {
        let (settings, _) = resolve("cors_origin = [\"https://a.test\", \"https://b.test\"]", &[]);
        assert_eq!(settings.cors_origin, ["https://a.test", "https://b.test"]);
    }

    #[test]
    fn what_is_wrong_in_the_file_is_named_with_its_line() {
        for (text, wrong) in [
            ("data = \"x\"\n\nlisten_on = 1", "tollgate.toml:3: there is no setting `listen_on`"),
            ("config = \"other.toml\"", "tollgate.toml:1: there is no setting `config`"),
            ("listen = 80", "tollgate.toml:1: error: invalid value '80' for '--listen <ADDRESS>'"),
            ("data = 1.5", "tollgate.toml:1: no setting has a value of this kind"),
        ] {
            let error = FileSettings::parse(Path::new("tollgate.toml"), text).unwrap_err();
            assert!(format!("{error:#}").starts_with(wrong), "{error:#}");
        }
    }
}
