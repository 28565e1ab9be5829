//! The stages that run in the sandbox.

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use quorate_eif::cpio::Archive;

use super::Builder;
use crate::config;
use crate::digest::{Parts, Sha256};
use crate::error::{Error, during};
use crate::lock::Lock;
use crate::recipe::{Recipe, read_text};
use crate::root;
use crate::sandbox::{self, Access, Bind, Order, Spec};
use crate::sources::Plan;
use crate::stage::Stage;

const CONFIGURE: &str = include_str!("../steps/kernel-configure.sh");
const COMPILE: &str = include_str!("../steps/kernel-compile.sh");
const RUST: &str = include_str!("../steps/rust.sh");
const COMPRESS: &str = include_str!("../steps/compress.sh");

/// Changes when this tool would build something else from the same inputs.
const RECIPE: &[u8] = b"1";

pub(super) fn root(builder: &Builder<'_>, lock: &Lock) -> Result<Stage, Error> {
    let mut key = Parts::new("root").with(RECIPE);
    for package in &lock.package {
        key.add(package.sha256.as_bytes());
    }
    builder
        .work
        .stage("root", &key.finish(), builder.progress, |out| {
            let target = out.join("root");
            root::unpack(&lock.package, builder.store, &target, builder.progress)
        })
}

/// A step's order, and where its folders are on the host.
struct Step<'a> {
    builder: &'a Builder<'a>,
    stage: &'static str,
    root: &'a Stage,
    epoch: u64,
    binds: Vec<Bind>,
    variables: Vec<(String, String)>,
}

impl<'a> Step<'a> {
    fn new(builder: &'a Builder<'a>, stage: &'static str, root: &'a Stage, epoch: u64) -> Self {
        Self {
            builder,
            stage,
            root,
            epoch,
            binds: Vec::new(),
            variables: Vec::new(),
        }
    }

    fn see(mut self, name: &str, host: &Path, access: Access) -> Self {
        self.binds.push(Bind {
            host: host.to_owned(),
            name: name.to_owned(),
            access,
        });
        self
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn run(self, script: &str, what: &str) -> Result<(), Error> {
        let builder = self.builder;
        let world = builder.world;
        let home = builder.work.scratch(&format!("{}-home", self.stage))?;
        let mut binds = self.binds;
        binds.push(Bind {
            host: home,
            name: "home".into(),
            access: Access::Write,
        });
        let mut environment = world.environment(self.epoch);
        environment.extend(self.variables);
        let spec = Spec {
            root: self.root.path("root"),
            binds,
            command: ["/bin/sh", "-c", script].map(str::to_owned).into(),
            environment,
            world: world.clone(),
        };
        let log = builder.work.folder().join(format!("{}.log", self.stage));
        builder.progress.begin(what, None);
        sandbox::run(builder.helper, &spec, self.stage, &log)?;
        builder.progress.end();
        Ok(())
    }
}

impl Builder<'_> {
    pub(super) fn kernel_stage(
        &self,
        recipe: &Recipe,
        lock: &Lock,
        root: &Stage,
        patches: &[Vec<u8>],
    ) -> Result<Stage, Error> {
        let images = self.sources.join("images");
        let fragment = read_text(&images.join(&recipe.kernel.config))?;
        let deny = read_text(&images.join(&recipe.kernel.deny))?;
        let mut key = Parts::new("kernel")
            .with(RECIPE)
            .with(CONFIGURE.as_bytes())
            .with(COMPILE.as_bytes())
            .with(root.digest("root")?.as_bytes())
            .with(lock.kernel.tarball.as_bytes())
            .with(fragment.as_bytes())
            .with(&recipe.epoch.to_be_bytes());
        patches.iter().for_each(|patch| key.add(patch));
        let stage = self
            .work
            .stage("kernel", &key.finish(), self.progress, |out| {
                let tarball = self.tarball(recipe, lock)?;
                let scratch = self.work.scratch("kernel")?;
                let (work, laid) = (scratch.join("work"), scratch.join("patches"));
                for folder in [&work, &laid] {
                    fs::create_dir(folder).map_err(during("make the folder", folder))?;
                }
                for (index, patch) in patches.iter().enumerate() {
                    write(&laid.join(format!("{index:04}.patch")), patch)?;
                }
                let config = scratch.join("config");
                write(&config, fragment.as_bytes())?;
                let step = || {
                    let times = match self.world.order {
                        Order::Forward => "",
                        Order::Backward => "--touch",
                    };
                    Step::new(self, "kernel", root, recipe.epoch)
                        .see("work", &work, Access::Write)
                        .see("out", out, Access::Write)
                        .see("patches", &laid, Access::Read)
                        .see("config", &config, Access::Read)
                        .see("linux.tar.xz", &tarball, Access::Read)
                        .set("TAR_TIMES", times)
                };
                step().run(CONFIGURE, "unpacking and configuring the kernel")?;
                let resolved = read_text(&out.join("config"))?;
                config::check(&resolved, &fragment, &deny, recipe.kernel.max_builtin)?;
                step().run(COMPILE, "compiling the kernel")
            })?;
        // The rules may have changed since it was compiled.
        let resolved = read_text(&stage.path("config"))?;
        config::check(&resolved, &fragment, &deny, recipe.kernel.max_builtin)?;
        Ok(stage)
    }

    pub(super) fn rust_stage(
        &self,
        stage: &'static str,
        recipe: &Recipe,
        root: &Stage,
        plan: &Plan,
        binary: &str,
    ) -> Result<Stage, Error> {
        let key = Parts::new(stage)
            .with(RECIPE)
            .with(RUST.as_bytes())
            .with(root.digest("root")?.as_bytes())
            .with(plan.digest().as_bytes())
            .with(plan.crates_digest().as_bytes())
            .with(plan.name.as_bytes())
            .with(binary.as_bytes())
            .with(&recipe.epoch.to_be_bytes());
        self.work.stage(stage, &key.finish(), self.progress, |out| {
            let scratch = self.work.scratch(stage)?;
            let (work, src) = (scratch.join("work"), scratch.join("src"));
            let crates = scratch.join("crates");
            for folder in [&work, &src, &crates] {
                fs::create_dir(folder).map_err(during("make the folder", folder))?;
            }
            self.lay_sources(plan, &src)?;
            self.lay_crates(plan, &crates)?;
            Step::new(self, stage, root, recipe.epoch)
                .see("work", &work, Access::Write)
                .see("out", out, Access::Write)
                .see("src", &src, Access::Read)
                .see("crates", &crates, Access::Read)
                .set("PACKAGE", &plan.package.to_string_lossy())
                .set("NAME", &plan.name)
                .set("BINARY", binary)
                .run(
                    RUST,
                    &format!("compiling {binary} and the standard library"),
                )
        })
    }

    pub(super) fn ramdisk_stage(
        &self,
        stage: &'static str,
        recipe: &Recipe,
        root: &Stage,
        archive: &Archive,
    ) -> Result<Stage, Error> {
        let bytes = archive.to_bytes();
        let key = Parts::new(stage)
            .with(RECIPE)
            .with(COMPRESS.as_bytes())
            .with(root.digest("root")?.as_bytes())
            .with(&bytes);
        self.work.stage(stage, &key.finish(), self.progress, |out| {
            let plain = self.work.scratch(stage)?.join("ramdisk.cpio");
            write(&plain, &bytes)?;
            Step::new(self, stage, root, recipe.epoch)
                .see("out", out, Access::Write)
                .see("ramdisk", &plain, Access::Read)
                .run(COMPRESS, "compressing the ramdisk")
        })
    }

    /// The sources as files, in the order and with the times of this world.
    fn lay_sources(&self, plan: &Plan, folder: &Path) -> Result<(), Error> {
        let mut files: Vec<_> = plan.files.iter().collect();
        if self.world.order == Order::Backward {
            files.reverse();
        }
        let time = UNIX_EPOCH + Duration::from_secs(self.world.times);
        for (inner, content) in files {
            let path = folder.join(inner);
            if let Some(above) = path.parent() {
                fs::create_dir_all(above).map_err(during("make the folder", above))?;
            }
            write(&path, content)?;
            let file = File::options().append(true).open(&path);
            file.and_then(|file| file.set_times(FileTimes::new().set_modified(time)))
                .map_err(during("set the time of", &path))?;
        }
        Ok(())
    }

    /// The crates as cargo's registry has them, and the list of their checksums.
    fn lay_crates(&self, plan: &Plan, folder: &Path) -> Result<(), Error> {
        let mut list = String::new();
        for part in &plan.crates {
            let name = format!("{}-{}", part.name, part.version);
            let stored = self.store.verified(&part.checksum, &name)?;
            let path = folder.join(format!("{name}.crate"));
            fs::copy(&stored, &path).map_err(during("copy", &path))?;
            list += &format!("{name} {}\n", part.checksum);
        }
        write(&folder.join("list"), list.as_bytes())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(during("write", path))
}

/// What a binary is, for a record of it.
pub(super) fn described(bytes: &[u8]) -> (Sha256, u64) {
    (Sha256::of(bytes), bytes.len() as u64)
}
