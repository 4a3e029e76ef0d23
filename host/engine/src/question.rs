//! What policies are asked, and what they answer, in a form that outlives the call: to be asked
//! again, to be put to another version, or to be shown to an author.

use std::cell::OnceCell;

use serde::Serialize;
use tollgate_domain::{
    Alert, Call, Estimate, Extraction, Opinion, ProviderId, Quote, Reading, RootId, Snapshot,
    SubjectPath, Timestamp, Usd,
};

use crate::candidate::AnyPolicy;
use crate::fault::Fault;
use crate::instance::Instance;
use crate::kinds::{
    self, Adjustments, Alerts, Average, Candidate, ModelName, Outlook, Payer, PolicyKind, Pricing,
    Rates, Recommendation, Rejected, Tiers,
};

/// One question to a policy of the kind `K`, as it is asked in the midst of a call: everything is
/// borrowed.
pub(crate) trait Ask<K: PolicyKind> {
    type Answer: Clone + Into<Answer>;

    fn ask(&self, instance: &mut Instance<K>) -> Result<Self::Answer, Fault>;

    /// On whose behalf; `None` if that is not known.
    fn subject(&self) -> Option<&SubjectPath>;

    /// The same, to be kept.
    fn question(&self) -> Question;
}

/// What a tier policy thinks of a call.
pub(crate) struct Evaluate<'a> {
    pub call: &'a Call,
    pub snapshot: &'a Snapshot,
    pub estimated_cost: Option<Usd>,
}

/// What a call will use and cost.
pub(crate) struct Expect<'a> {
    pub call: &'a Call,
    pub at: Timestamp,
    pub average: &'a Average,
}

/// What a call has cost.
pub(crate) struct Price<'a> {
    pub call: &'a Call,
    pub at: Timestamp,
}

/// The same, and how it comes about.
pub(crate) struct Learn<'a, A> {
    asked: &'a A,
    rates: OnceCell<Option<Rates>>,
}

/// What a call costs once a policy has changed its price.
pub(crate) struct Adjust<'a> {
    pub call: &'a Call,
    pub at: Timestamp,
    pub payer: &'a Payer,
    pub quote: &'a Quote,
}

/// What a provider's answer reports.
pub(crate) struct Extract<'a> {
    pub provider: &'a ProviderId,
    pub flavor: &'a str,
    pub response: &'a str,
    pub subject: Option<&'a SubjectPath>,
}

/// Which alerts are due.
pub(crate) struct Due<'a>(pub &'a [&'a Reading]);

/// What there is to advise.
pub(crate) struct Recommend<'a>(pub &'a [&'a Reading]);

/// Which models might have served instead.
pub(crate) struct Candidates<'a> {
    pub subject: &'a SubjectPath,
    pub models: &'a [ModelName],
}

/// What there is to advise, given all that there is to choose from.
pub(crate) struct Advise<'a>(pub &'a Outlook);

/// What the host may ask a policy, with all that belongs to it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    Evaluate { call: Call, snapshot: Snapshot, estimated_cost: Option<Usd> },
    Estimate { call: Call, at: Timestamp, average: Average },
    Price { call: Call, at: Timestamp },
    Adjust { call: Call, at: Timestamp, payer: Payer, quote: Quote },
    Extract { provider: ProviderId, flavor: String, response: String, subject: Option<SubjectPath> },
    Due { readings: Vec<Reading> },
    Recommend { readings: Vec<Reading> },
    Candidates { subject: SubjectPath, models: Vec<ModelName> },
    Advise { outlook: Outlook },
}

/// What a policy answered. A pricing policy may say that what was stated is wrong, and says nothing
/// where it has no price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Opinion(Opinion),
    Estimate(Result<Option<Estimate>, Rejected>),
    Quote(Result<Option<Quote>, Rejected>),
    Extraction(Result<Option<Extraction>, Rejected>),
    Alerts(Vec<Alert>),
    Recommendations(Vec<Recommendation>),
    Candidates(Vec<Candidate>),
}

impl Question {
    /// On whose behalf it was asked.
    pub fn subject(&self) -> Option<&SubjectPath> {
        match self {
            Self::Evaluate { call, .. }
            | Self::Estimate { call, .. }
            | Self::Price { call, .. }
            | Self::Adjust { call, .. } => Some(&call.subject),
            Self::Extract { subject, .. } => subject.as_ref(),
            Self::Due { readings } | Self::Recommend { readings } => {
                readings.first().map(|reading| &reading.subject)
            }
            Self::Candidates { subject, .. } => Some(subject),
            Self::Advise { outlook } => Some(&outlook.subject),
        }
    }

    /// Puts it to a policy: to a new instance, of which nobody asked anything yet, or to one that
    /// is warm. A policy that it does not concern answers nothing.
    pub(crate) fn put_to(&self, policy: &AnyPolicy, to: To) -> Result<Answer, Fault> {
        match (policy, self) {
            (AnyPolicy::Tier(policy), Self::Evaluate { call, snapshot, estimated_cost }) => {
                let applies = &policy.card.manifest.applies_to;
                if !applies.decision(call, snapshot) {
                    return Ok(Answer::Opinion(Opinion::default()));
                }
                let estimated_cost = *estimated_cost;
                policy.answer(&Evaluate { call, snapshot, estimated_cost }, to)
            }
            (AnyPolicy::Pricing(policy), Self::Estimate { call, at, average }) => {
                policy.answer(&Expect { call, at: *at, average }, to)
            }
            (AnyPolicy::Pricing(policy), Self::Price { call, at }) => {
                policy.answer(&Price { call, at: *at }, to)
            }
            (AnyPolicy::Adjustment(policy), Self::Adjust { call, at, payer, quote }) => {
                policy.answer(&Adjust { call, at: *at, payer, quote }, to)
            }
            (AnyPolicy::Pricing(policy), Self::Extract { provider, flavor, response, subject }) => {
                let subject = subject.as_ref();
                policy.answer(&Extract { provider, flavor, response, subject }, to)
            }
            (AnyPolicy::Alert(policy), Self::Due { readings }) => {
                policy.answer(&Due(&readings.iter().collect::<Vec<_>>()), to)
            }
            (AnyPolicy::Alert(policy), Self::Recommend { readings }) => {
                policy.answer(&Recommend(&readings.iter().collect::<Vec<_>>()), to)
            }
            (AnyPolicy::Alert(policy), Self::Candidates { subject, models }) => {
                policy.answer(&Candidates { subject, models }, to)
            }
            (AnyPolicy::Alert(policy), Self::Advise { outlook }) => {
                policy.answer(&Advise(outlook), to)
            }
            (_, _) => Err(Fault::Unavailable("it is of another kind".into())),
        }
    }
}

/// Which instance is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Fresh,
    Warm,
}

/// Whose account a question goes to: a tenant is one caller, whoever of its users calls.
pub(crate) fn root_of(subject: Option<&SubjectPath>) -> Option<RootId> {
    subject.map(SubjectPath::root)
}

impl Ask<Tiers> for Evaluate<'_> {
    type Answer = Opinion;

    fn ask(&self, instance: &mut Instance<Tiers>) -> Result<Opinion, Fault> {
        kinds::evaluate(instance, self.call, self.snapshot, self.estimated_cost)
    }

    fn subject(&self) -> Option<&SubjectPath> {
        Some(&self.call.subject)
    }

    fn question(&self) -> Question {
        let Self { call, snapshot, estimated_cost } = *self;
        Question::Evaluate { call: call.clone(), snapshot: snapshot.clone(), estimated_cost }
    }
}

impl Ask<Pricing> for Expect<'_> {
    type Answer = kinds::Answer<Estimate>;

    fn ask(&self, instance: &mut Instance<Pricing>) -> Result<Self::Answer, Fault> {
        kinds::estimate(instance, self.call, self.at, self.average)
    }

    fn subject(&self) -> Option<&SubjectPath> {
        Some(&self.call.subject)
    }

    fn question(&self) -> Question {
        let Self { call, at, average } = *self;
        Question::Estimate { call: call.clone(), at, average: average.clone() }
    }
}

impl Ask<Pricing> for Price<'_> {
    type Answer = kinds::Answer<Quote>;

    fn ask(&self, instance: &mut Instance<Pricing>) -> Result<Self::Answer, Fault> {
        kinds::price(instance, self.call, self.at)
    }

    fn subject(&self) -> Option<&SubjectPath> {
        Some(&self.call.subject)
    }

    fn question(&self) -> Question {
        Question::Price { call: self.call.clone(), at: self.at }
    }
}

/// A question of which a policy may say how the answer comes about.
pub(crate) trait Reckon: Ask<Pricing> {
    fn call(&self) -> (&Call, Timestamp);

    /// The caller's bound, where it matters.
    fn max_tokens(&self) -> Option<u32>;

    /// The answer, where the rates hold for the call.
    fn reckon(&self, rates: &Rates) -> Option<Self::Answer>;

    /// Asks for both.
    fn learn(
        &self,
        instance: &mut Instance<Pricing>,
    ) -> Result<(Self::Answer, Option<Rates>), Fault>;
}

impl Reckon for Expect<'_> {
    fn call(&self) -> (&Call, Timestamp) {
        (self.call, self.at)
    }

    fn max_tokens(&self) -> Option<u32> {
        self.call.max_tokens
    }

    fn reckon(&self, rates: &Rates) -> Option<Self::Answer> {
        rates.estimate(self.call, self.at).map(|estimate| Ok(Some(estimate)))
    }

    fn learn(
        &self,
        instance: &mut Instance<Pricing>,
    ) -> Result<(Self::Answer, Option<Rates>), Fault> {
        kinds::learn(instance, self.call, self.at, self.average)
    }
}

impl Reckon for Price<'_> {
    fn call(&self) -> (&Call, Timestamp) {
        (self.call, self.at)
    }

    fn max_tokens(&self) -> Option<u32> {
        None
    }

    fn reckon(&self, rates: &Rates) -> Option<Self::Answer> {
        rates.quote(self.call, self.at).map(|quote| Ok(Some(quote)))
    }

    fn learn(
        &self,
        instance: &mut Instance<Pricing>,
    ) -> Result<(Self::Answer, Option<Rates>), Fault> {
        kinds::learn_price(instance, self.call, self.at)
    }
}

impl<'a, A: Reckon> Learn<'a, A> {
    pub fn new(asked: &'a A) -> Self {
        Self { asked, rates: OnceCell::new() }
    }

    /// What it was told, once it was asked.
    pub fn into_rates(self) -> Option<Rates> {
        self.rates.into_inner().flatten()
    }
}

impl<A: Reckon> Ask<Pricing> for Learn<'_, A> {
    type Answer = A::Answer;

    fn ask(&self, instance: &mut Instance<Pricing>) -> Result<Self::Answer, Fault> {
        let (answer, rates) = self.asked.learn(instance)?;
        // It is asked once.
        let _ = self.rates.set(rates);
        Ok(answer)
    }

    fn subject(&self) -> Option<&SubjectPath> {
        self.asked.subject()
    }

    fn question(&self) -> Question {
        self.asked.question()
    }
}

impl Ask<Adjustments> for Adjust<'_> {
    type Answer = kinds::Answer<Quote>;

    fn ask(&self, instance: &mut Instance<Adjustments>) -> Result<Self::Answer, Fault> {
        let adjusted = kinds::adjust(instance, self.call, self.at, self.payer, self.quote)?;
        Ok(adjusted.map(Some))
    }

    fn subject(&self) -> Option<&SubjectPath> {
        Some(&self.call.subject)
    }

    fn question(&self) -> Question {
        let Self { call, at, payer, quote } = *self;
        Question::Adjust { call: call.clone(), at, payer: payer.clone(), quote: quote.clone() }
    }
}

impl Ask<Pricing> for Extract<'_> {
    type Answer = kinds::Answer<Extraction>;

    fn ask(&self, instance: &mut Instance<Pricing>) -> Result<Self::Answer, Fault> {
        kinds::extract(instance, self.provider, self.flavor, self.response)
    }

    fn subject(&self) -> Option<&SubjectPath> {
        self.subject
    }

    fn question(&self) -> Question {
        Question::Extract {
            provider: self.provider.clone(),
            flavor: self.flavor.to_owned(),
            response: self.response.to_owned(),
            subject: self.subject.cloned(),
        }
    }
}

impl Ask<Alerts> for Due<'_> {
    type Answer = Vec<Alert>;

    fn ask(&self, instance: &mut Instance<Alerts>) -> Result<Vec<Alert>, Fault> {
        kinds::due(instance, self.0)
    }

    fn subject(&self) -> Option<&SubjectPath> {
        self.0.first().map(|reading| &reading.subject)
    }

    fn question(&self) -> Question {
        Question::Due { readings: owned(self.0) }
    }
}

impl Ask<Alerts> for Recommend<'_> {
    type Answer = Vec<Recommendation>;

    fn ask(&self, instance: &mut Instance<Alerts>) -> Result<Vec<Recommendation>, Fault> {
        kinds::recommend(instance, self.0)
    }

    fn subject(&self) -> Option<&SubjectPath> {
        self.0.first().map(|reading| &reading.subject)
    }

    fn question(&self) -> Question {
        Question::Recommend { readings: owned(self.0) }
    }
}

impl Ask<Alerts> for Candidates<'_> {
    type Answer = Vec<Candidate>;

    fn ask(&self, instance: &mut Instance<Alerts>) -> Result<Vec<Candidate>, Fault> {
        kinds::candidates(instance, self.models)
    }

    fn subject(&self) -> Option<&SubjectPath> {
        Some(self.subject)
    }

    fn question(&self) -> Question {
        let Self { subject, models } = *self;
        Question::Candidates { subject: subject.clone(), models: models.to_vec() }
    }
}

impl Ask<Alerts> for Advise<'_> {
    type Answer = Vec<Recommendation>;

    fn ask(&self, instance: &mut Instance<Alerts>) -> Result<Vec<Recommendation>, Fault> {
        kinds::advise(instance, self.0)
    }

    fn subject(&self) -> Option<&SubjectPath> {
        Some(&self.0.subject)
    }

    fn question(&self) -> Question {
        Question::Advise { outlook: self.0.clone() }
    }
}

fn owned(readings: &[&Reading]) -> Vec<Reading> {
    readings.iter().map(|&reading| reading.clone()).collect()
}

macro_rules! answers {
    ($($type:ty => $case:ident),+) => {$(
        impl From<$type> for Answer {
            fn from(answer: $type) -> Self {
                Self::$case(answer)
            }
        }
    )+};
}

answers! {
    Opinion => Opinion,
    kinds::Answer<Estimate> => Estimate,
    kinds::Answer<Quote> => Quote,
    kinds::Answer<Extraction> => Extraction,
    Vec<Alert> => Alerts,
    Vec<Recommendation> => Recommendations,
    Vec<Candidate> => Candidates
}
