//! What the building subcommands share: where things are, who waits, and a builder's error as a
//! failure a person can act on.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_builder::image::Builder;
use quorate_builder::mirror::{Mirror, mirrors};
use quorate_builder::progress::Progress;
use quorate_builder::sandbox::{Helper, World};
use quorate_builder::stage::Work;
use quorate_builder::store::Store;
use quorate_builder::{Blame, Error};

use crate::failure::{Failure, Fault};
use crate::output::{Output, clean};

/// Where things are.
#[derive(Clone, Debug, Args)]
pub(super) struct Places {
    /// The repository to build from [default: the one around the current folder]
    #[arg(long, value_name = "DIR", env = "QUORATE_REPOSITORY")]
    pub(super) repository: Option<PathBuf>,

    /// Where inputs are kept by digest, 0.6 GB [default: quorate/store in the user's cache folder]
    #[arg(long, value_name = "DIR", env = "QUORATE_STORE")]
    pub(super) store: Option<PathBuf>,

    /// Where stages are built, 5 GB for a while [default: quorate/work in the user's cache folder]
    #[arg(long, value_name = "DIR", env = "QUORATE_WORK")]
    pub(super) work: Option<PathBuf>,
}

/// Where Debian's archive is reached.
#[derive(Clone, Debug, Args)]
pub(super) struct Mirrors {
    /// Where packages are fetched: an http:// address or a folder; several are tried in order
    /// [default: what this machine's apt uses, then <http://deb.debian.org>]
    #[arg(
        long = "mirror",
        value_name = "URL",
        env = "QUORATE_MIRRORS",
        value_delimiter = ','
    )]
    named: Vec<String>,
}

impl Mirrors {
    pub(super) fn list(&self) -> Result<Vec<Mirror>, Failure> {
        mirrors(&self.named, Path::new("/")).map_err(|error| explain(&error))
    }
}

/// The places, opened.
pub(super) struct Site {
    pub(super) sources: PathBuf,
    pub(super) store: Store,
    work: Work,
    helper: Helper,
    world: World,
    progress: Lines,
}

impl Places {
    /// The repository.
    pub(super) fn sources(&self) -> Result<PathBuf, Failure> {
        let is_one = |folder: &Path| folder.join("images/image.toml").is_file();
        let found = match &self.repository {
            Some(folder) => Some(folder.clone()),
            None => {
                let here = std::env::current_dir().unwrap_or_default();
                here.ancestors()
                    .find(|folder| is_one(folder))
                    .map(Path::to_owned)
            }
        };
        found
            .filter(|folder| is_one(folder))
            .and_then(|folder| std::fs::canonicalize(folder).ok())
            .ok_or_else(|| {
                Failure::usage(
                    "no-repository",
                    "there is no images/image.toml here or above",
                    "run this inside a checkout of Quorate, or name one with --repository",
                )
            })
    }

    /// The store.
    pub(super) fn store(&self) -> Result<Store, Failure> {
        let folder = cached(self.store.as_ref(), "store")?;
        Store::open(&folder).map_err(|error| explain(&error))
    }

    /// The store and the folder to build in.
    pub(super) fn open(&self, world: World, output: Output) -> Result<Site, Failure> {
        let (sources, store) = (self.sources()?, self.store()?);
        Ok(Site {
            sources,
            store,
            work: Work::open(&self.work()?).map_err(|error| explain(&error))?,
            helper: Helper {
                // This very program, also when its file was replaced meanwhile.
                program: "/proc/self/exe".into(),
                arguments: vec!["image".into(), "step".into()],
            },
            world,
            progress: Lines::new(output),
        })
    }

    /// Where stages are built.
    pub(super) fn work(&self) -> Result<PathBuf, Failure> {
        cached(self.work.as_ref(), "work")
    }
}

impl Site {
    /// Runs `action` with a builder.
    pub(super) fn with<T>(
        &self,
        action: impl FnOnce(&Builder<'_>) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let builder = Builder {
            sources: &self.sources,
            store: &self.store,
            work: &self.work,
            helper: &self.helper,
            world: &self.world,
            progress: &self.progress,
        };
        let outcome = action(&builder);
        self.progress.clear();
        outcome.map_err(|error| explain(&error))
    }
}

/// A folder that was named, or one of ours in the user's cache.
fn cached(named: Option<&PathBuf>, name: &str) -> Result<PathBuf, Failure> {
    if let Some(folder) = named {
        return Ok(folder.clone());
    }
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")));
    let cache = cache.filter(|cache| cache.is_absolute()).ok_or_else(|| {
        Failure::usage(
            "no-cache-folder",
            "neither XDG_CACHE_HOME nor HOME names a folder",
            "name folders with --store and --work",
        )
    })?;
    Ok(cache.join("quorate").join(name))
}

/// A builder's error as a person sees it.
pub(crate) fn explain(error: &Error) -> Failure {
    let fault = match error.blame() {
        Blame::Caller => Fault::Caller,
        Blame::Mirror | Blame::Sources => Fault::Sender,
        Blame::Machine => Fault::Machine,
        _ => Fault::Quorate,
    };
    Failure::refused(fault, error.code(), error.to_string(), error.remedy())
}

/// Progress on standard error: one line a step, drawn over itself on a terminal.
pub(crate) struct Lines {
    output: Output,
    state: Mutex<Option<State>>,
}

struct State {
    step: String,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Lines {
    pub(crate) fn new(output: Output) -> Self {
        Self {
            output,
            state: Mutex::new(None),
        }
    }

    fn take(&self) -> Option<State> {
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        state.take()
    }

    /// Takes away what is drawn of a step that failed.
    pub(crate) fn clear(&self) {
        if let Some(State { bar: Some(bar), .. }) = self.take() {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Lines {
    fn begin(&self, step: &str, total: Option<u64>) {
        self.clear();
        let step = clean(step);
        let bar = self.output.is_lively().then(|| {
            let (bar, template) = match total {
                Some(total) => (
                    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()),
                    "{spinner} {msg} {bytes} of {total_bytes}, {eta} left",
                ),
                None => (
                    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
                    "{spinner} {msg} {elapsed}",
                ),
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(step.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if bar.is_none() {
            self.output.note(&format!("{step} …"));
        }
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *state = Some(State {
            step,
            started: Instant::now(),
            bar,
        });
    }

    fn advance(&self, bytes: u64) {
        let state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(State { bar: Some(bar), .. }) = &*state {
            bar.inc(bytes);
        }
    }

    fn end(&self) {
        if let Some(state) = self.take() {
            if let Some(bar) = state.bar {
                bar.finish_and_clear();
            }
            let took = state.started.elapsed().as_secs_f64();
            self.output.note(&format!("{} ({took:.1} s)", state.step));
        }
    }

    fn note(&self, line: &str) {
        self.output.note(&clean(line));
    }
}
