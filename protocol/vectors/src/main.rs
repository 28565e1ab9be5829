//! Writes every frozen vector, twin and seed below `protocol/`, and removes generated files that
//! are no longer made. What fuzzing found stays: only names that begin with `seed-` are ours there.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use quorate_vectors::committed::folder;

fn main() -> io::Result<()> {
    let files = quorate_vectors::files();
    let ours: BTreeSet<_> = files.iter().map(|(path, _)| folder().join(path)).collect();
    for path in quorate_vectors::committed::generated()? {
        if !ours.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    for (path, bytes) in &files {
        let path = folder().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(path, bytes)?;
    }
    println!("{} files written below {}", files.len(), folder().display());
    Ok(())
}
