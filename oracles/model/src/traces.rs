//! What is walked of a model in the real thing: shortest ways to its states.

use std::collections::HashSet;
use std::hash::Hash;

use stateright::{Checker as _, Model, Path, PathRecorder};

/// The actions of one shortest trace to every state, each trace once and in an order that stays.
pub fn traces<M>(model: &M) -> Vec<Vec<M::Action>>
where
    M: Model + Clone + Send + Sync + 'static,
    M::State: Hash + Eq + Clone + Send + Sync + std::fmt::Debug + 'static,
    M::Action: Hash + Ord + Clone + Send + Sync + std::fmt::Debug + 'static,
{
    let (recorder, paths) = PathRecorder::new_with_accessor();
    model.clone().checker().visitor(recorder).spawn_bfs().join();
    let actions = |path: Path<M::State, M::Action>| {
        let steps = path.into_vec().into_iter();
        steps.filter_map(|(_, action)| action).collect()
    };
    let traces: HashSet<Vec<M::Action>> = paths().into_iter().map(actions).collect();
    let mut traces: Vec<_> = traces.into_iter().collect();
    traces.sort();
    traces
}
