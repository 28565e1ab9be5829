//! Applications, ours and other people's, built as the image's first process is.

use std::path::Path;

use super::{Builder, steps};
use crate::crates;
use crate::digest::Sha256;
use crate::error::Error;
use crate::lock::Lock;
use crate::recipe::{Recipe, is_word};
use crate::sources::Plan;

/// An application, as a manifest names it.
#[derive(Clone, Debug)]
pub struct App {
    /// The package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The static binary.
    pub binary: Vec<u8>,
    /// Its digest.
    pub sha256: Sha256,
    /// Its length.
    pub bytes: u64,
    /// The digest of its own sources and of those it is built with.
    pub sources: Sha256,
    /// How many crates of other people are in it.
    pub crates: usize,
}

impl Builder<'_> {
    /// Builds the binary of the package in `folder`, in this repository's build root.
    ///
    /// # Errors
    /// As for an image.
    pub fn app(&self, folder: &Path, binary: Option<&str>) -> Result<App, Error> {
        let recipe = Recipe::read(self.sources)?;
        let lock = Lock::read(self.sources)?;
        let plan = Plan::read(folder)?;
        let binary = binary.unwrap_or(&plan.name).to_owned();
        if !is_word(&binary) || !is_word(&plan.name) {
            return Err(Error::Sources {
                path: folder.to_owned(),
                why: format!("{binary:?} is no name of a binary"),
            });
        }
        crates::fetch(&plan.crates, folder, self.store, self.progress)?;
        let root = self.root_stage(&lock)?;
        let stage = self.rust_stage("app", &recipe, &root, &plan, &binary)?;
        let built = stage.read("binary")?;
        let (sha256, bytes) = steps::described(&built);
        Ok(App {
            name: plan.name.clone(),
            version: plan.version.clone(),
            binary: built,
            sha256,
            bytes,
            sources: plan.digest(),
            crates: plan.crates.len(),
        })
    }
}
