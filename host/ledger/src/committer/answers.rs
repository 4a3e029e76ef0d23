//! Answers on their way back.

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::Outcome;
use crate::store::Unit;

/// The answers to a batch, by the runtime that waits for them: waking a thread costs as much as
/// all that is done for a unit, so each is woken once and tells its own.
#[derive(Default)]
pub struct Answers {
    by_runtime: Vec<(Option<Handle>, Vec<Answer>)>,
}

struct Answer {
    unit: Unit,
    outcome: Outcome,
    waiting: oneshot::Sender<Outcome>,
}

impl Answers {
    pub fn add(
        &mut self,
        unit: Unit,
        waiting: oneshot::Sender<Outcome>,
        outcome: Outcome,
        runtime: Option<Handle>,
    ) {
        let answer = Answer { unit, outcome, waiting };
        let id = |runtime: &Option<Handle>| runtime.as_ref().map(Handle::id);
        match self.by_runtime.iter_mut().find(|(other, _)| id(other) == id(&runtime)) {
            Some((_, answers)) => answers.push(answer),
            None => self.by_runtime.push((runtime, vec![answer])),
        }
    }

    pub fn give(self) {
        for (runtime, answers) in self.by_runtime {
            let give = || answers.into_iter().for_each(Answer::give);
            match runtime {
                Some(runtime) => drop(runtime.spawn(async { give() })),
                None => give(),
            }
        }
    }
}

impl Answer {
    fn give(self) {
        // Its turn ends with it: whoever hears the answer may send the same again.
        drop(self.unit);
        // Nobody listens any more when the caller has hung up; the unit is committed all the same.
        let _ = self.waiting.send(self.outcome);
    }
}
