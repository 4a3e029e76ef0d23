//! A configured instance of a plugin, and how one is made.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;

use crate::bindings::lifecycle;
use crate::fault::Fault;
use crate::guest_state::GuestState;
use crate::kinds::{Needs, PolicyKind};
use crate::limits::{FUEL_PER_INPUT_BYTE, Limits};
use crate::logging::{LogContext, Origin};
use crate::manifest::{Manifest, ManifestError};
use crate::plugin::Plugin;
use crate::refusal::ConfigProblem;
use crate::runtime::deadline_epochs;
use crate::stats::{Living, Spent, Stats};

/// Setting up is bounded by its fuel; this only ends what fuel does not see.
pub(crate) const SET_UP_DEADLINE: Duration = Duration::from_secs(30);

/// A guest that is ready to be called.
pub(crate) struct Instance<K: PolicyKind> {
    store: Store<GuestState>,
    guest: K::Guest,
    needs: Needs,
    limits: Limits,
    calls: u64,
    /// That the last call was given.
    fuel: u64,
    _living: Living,
}

/// What it takes to make instances of a policy.
pub(crate) struct Blueprint<K: PolicyKind> {
    plugin: Arc<Plugin>,
    manifest: Arc<Manifest>,
    lifecycle: lifecycle::GuestIndices,
    indices: K::Indices,
    /// What log lines are tagged with.
    origin: Origin,
    stats: Arc<Stats>,
}

/// Why there is no instance.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("{fault} when it was {stage}")]
    Fault { fault: Fault, stage: &'static str },
    #[error("needs `{0}`, which this host does not know for this kind of policy")]
    UnknownNeed(String),
    /// As the plugin says it, and where that stands in the manifest.
    #[error("{}", lines(shown))]
    Config { problems: Vec<ConfigProblem>, shown: Vec<ManifestError> },
}

impl<K: PolicyKind> Blueprint<K> {
    /// Finds the functions of the kind's interface; the error says which is missing or has
    /// another signature.
    pub fn new(
        plugin: Arc<Plugin>,
        manifest: Arc<Manifest>,
        context: LogContext,
    ) -> wasmtime::Result<Self> {
        let revision = format!("{}-{}", plugin.digest.short(), manifest.digest.short());
        Ok(Self {
            lifecycle: lifecycle::GuestIndices::new(&plugin.pre)?,
            indices: K::indices(&plugin.pre)?,
            origin: Origin::new(&manifest.name, &revision, context),
            stats: Arc::default(),
            plugin,
            manifest,
        })
    }

    pub fn stats(&self) -> Arc<Stats> {
        self.stats.clone()
    }

    /// Makes an instance and configures it.
    pub fn start(&self) -> Result<Instance<K>, StartError> {
        let limits = self.manifest.limits;
        let state = GuestState::new(&limits, self.origin.clone());
        let mut store = Store::new(self.plugin.pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        // What a guest hands over is copied into the host: that is bounded too.
        store.set_hostcall_fuel(usize::try_from(limits.result_bytes()).unwrap_or(usize::MAX));
        let set_up = (limits.fuel_configure, SET_UP_DEADLINE);

        let (lifecycle, guest) = run(&mut store, set_up, |store| {
            let instance = self.plugin.pre.instantiate(&mut *store)?;
            let lifecycle = self.lifecycle.load(&mut *store, &instance)?;
            Ok((lifecycle, K::load(&self.indices, store, &instance)?))
        })
        .map_err(StartError::when("started"))?;
        let description = run(&mut store, set_up, |store| lifecycle.call_describe(store))
            .map_err(StartError::when("asked to describe itself"))?;
        let needs = Needs::parse(K::KIND, &description.needs).map_err(StartError::UnknownNeed)?;
        run(&mut store, set_up, |store| lifecycle.call_configure(store, &self.manifest.config))
            .map_err(StartError::when("configured"))?
            .map_err(|problems| self.config_error(problems))?;
        let wishes = run(&mut store, set_up, |store| K::wishes(&guest, store))
            .map_err(StartError::when("asked what it wishes"))?;
        let needs = needs.and_wishes(&wishes).map_err(StartError::UnknownNeed)?;
        let _living = Living::new(self.stats.clone());
        Ok(Instance { store, guest, needs, limits, calls: 0, fuel: 0, _living })
    }

    fn config_error(&self, problems: Vec<lifecycle::Problem>) -> StartError {
        let place = |p: &lifecycle::Problem| self.manifest.config_problem(&p.path, &p.message);
        let shown = problems.iter().map(place).collect();
        let problems =
            problems.into_iter().map(|p| ConfigProblem { pointer: p.path, message: p.message });
        StartError::Config { problems: problems.collect(), shown }
    }
}

impl StartError {
    pub fn when(stage: &'static str) -> impl FnOnce(Fault) -> Self {
        move |fault| Self::Fault { fault, stage }
    }
}

impl<K: PolicyKind> Instance<K> {
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// What the last call took.
    pub fn spent(&self) -> Spent {
        let left = self.store.get_fuel().unwrap_or(0);
        let memory_bytes = self.store.data().memory.bytes();
        Spent { fuel: self.fuel.saturating_sub(left), memory_bytes }
    }

    /// How often it was called since it was configured.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Calls the guest within the limits of one call. After a fault the instance is in a state
    /// that nobody knows and must not be called again.
    pub fn call<R>(
        &mut self,
        input_bytes: u64,
        function: impl FnOnce(&K::Guest, &mut Store<GuestState>) -> wasmtime::Result<R>,
    ) -> Result<R, Fault> {
        self.calls += 1;
        let fuel = input_bytes.saturating_mul(FUEL_PER_INPUT_BYTE);
        let fuel = fuel.saturating_add(self.limits.fuel_per_call);
        self.fuel = fuel;
        let deadline = Duration::from_millis(self.limits.deadline_ms);
        run(&mut self.store, (fuel, deadline), |store| function(&self.guest, store))
    }

    /// Calls the guest within the limits of setting up.
    pub fn set_up<R>(
        &mut self,
        function: impl FnOnce(&K::Guest, &mut Store<GuestState>) -> wasmtime::Result<R>,
    ) -> Result<R, Fault> {
        let limits = (self.limits.fuel_configure, SET_UP_DEADLINE);
        run(&mut self.store, limits, |store| function(&self.guest, store))
    }
}

/// Runs guest code within `fuel` and `deadline`.
pub(crate) fn run<R>(
    store: &mut Store<GuestState>,
    (fuel, deadline): (u64, Duration),
    function: impl FnOnce(&mut Store<GuestState>) -> wasmtime::Result<R>,
) -> Result<R, Fault> {
    store.set_fuel(fuel).map_err(|error| Fault::Unavailable(error.to_string()))?;
    store.set_epoch_deadline(deadline_epochs(deadline));
    let state = store.data_mut();
    state.log.renew();
    state.memory.denied = false;
    function(store).map_err(|error| Fault::classify(&error, store.data().memory.denied))
}

fn lines(problems: &[ManifestError]) -> String {
    if problems.is_empty() {
        return "refuses its configuration and does not say why".to_owned();
    }
    problems.iter().map(ManifestError::to_string).collect::<Vec<_>>().join("\n")
}
