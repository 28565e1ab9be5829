//! What the instance set aside for enclaves, as its kernel tells under `/sys`.
//!
//! Guarantees: a number of processors that cannot be whole cores, and memory that is not free, are
//! refused before the driver is asked, with the figures. What was free a moment ago may be taken
//! now: then the driver refuses, and that is told as well.
//!
//! Does not: set anything aside. docs/deploy-nitro.md says how that is done.

use std::fs;
use std::path::{Path, PathBuf};

use crate::device::REGION;
use crate::error::LaunchError;

/// Largest file read there, in bytes.
const MAX: usize = 64 * 1024;
/// Huge pages of one enclave, at most. More would be 2 MiB pages of more than 128 GiB.
const MAX_PAGES: u64 = 65_536;

/// Which processors an enclave gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cpus {
    /// So many of the pool.
    Count(u32),
    /// These.
    These(Vec<u32>),
}

impl Cpus {
    /// How many.
    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            Self::Count(count) => *count,
            Self::These(cpus) => u32::try_from(cpus.len()).unwrap_or(u32::MAX),
        }
    }
}

/// The kernel's view of the instance.
#[derive(Clone, Debug)]
pub struct Machine {
    sys: PathBuf,
}

impl Default for Machine {
    fn default() -> Self {
        Self::at("/sys")
    }
}

/// Huge pages of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// Bytes of one.
    pub size: u64,
    /// How many.
    pub count: u64,
}

impl Machine {
    /// A machine whose `/sys` is elsewhere.
    #[must_use]
    pub fn at(sys: impl Into<PathBuf>) -> Self {
        Self { sys: sys.into() }
    }

    /// Checks a choice of processors. Where the kernel does not say, nothing is refused here.
    ///
    /// # Errors
    /// [`LaunchError::HalfCore`], [`LaunchError::PoolTooSmall`].
    pub fn check(&self, cpus: &Cpus) -> Result<(), LaunchError> {
        let given = cpus.count();
        // Processor 0 always stays with the instance, so its siblings can be read.
        let siblings = self.list("devices/system/cpu/cpu0/topology/thread_siblings_list");
        if let Some(threads) = siblings.filter(|threads| *threads > 0)
            && (given == 0 || !given.is_multiple_of(threads))
        {
            return Err(LaunchError::HalfCore { given, threads });
        }
        let pool = self.list("module/nitro_enclaves/parameters/ne_cpus");
        match pool {
            Some(pool) if given > pool => Err(LaunchError::PoolTooSmall { given, pool }),
            _ => Ok(()),
        }
    }

    /// How many processors a list names, as the kernel writes it: `2-3,6`.
    fn list(&self, path: &str) -> Option<u32> {
        let text = small(&self.sys.join(path))?;
        let text = text.trim();
        if text.is_empty() {
            return Some(0);
        }
        let mut count = 0_u32;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
            count = count.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
        }
        Some(count)
    }

    /// Free huge pages an enclave can use, the largest first.
    #[must_use]
    pub fn free_pages(&self) -> Vec<Pages> {
        let folder = self.sys.join("kernel/mm/hugepages");
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut pages: Vec<Pages> = entries
            .take(64)
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let kib = name.strip_prefix("hugepages-")?.strip_suffix("kB")?;
                let size = kib.parse::<u64>().ok()?.checked_mul(1024)?;
                let number = |file| small(&entry.path().join(file))?.trim().parse::<u64>().ok();
                // A page that is free may be promised to somebody.
                let promised = number("resv_hugepages").unwrap_or(0);
                let count = number("free_hugepages")?.saturating_sub(promised);
                (size.is_multiple_of(REGION) && count > 0).then_some(Pages { size, count })
            })
            .collect();
        pages.sort_unstable_by_key(|pages| std::cmp::Reverse(pages.size));
        pages
    }
}

fn small(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = fs::File::open(path).ok()?;
    file.take(MAX as u64).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Chooses pages for `needed` bytes among the free ones: large pages first, so that the memory is
/// in few pieces; what is left over of the need is made up by the smallest that will do. Sizes come
/// back in the order in which the memory is laid out, largest first.
///
/// # Errors
/// [`LaunchError::HugePages`].
pub fn choose(free: &[Pages], needed: u64) -> Result<Vec<u64>, LaunchError> {
    let bytes = |pages: &Pages| pages.size.saturating_mul(pages.count);
    let all = free.iter().map(bytes).fold(0, u64::saturating_add);
    let short = LaunchError::HugePages { needed, free: all };
    let mut left = needed;
    let mut rest = Vec::with_capacity(free.len());
    let mut chosen = Vec::with_capacity(free.len());
    for pages in free.iter().filter(|pages| pages.size > 0) {
        let count = left.checked_div(pages.size).unwrap_or(0).min(pages.count);
        left = left.saturating_sub(count.saturating_mul(pages.size));
        chosen.push(Pages { count, ..*pages });
        rest.push(pages.count.saturating_sub(count));
    }
    // Smallest first: more than is needed, by as little as possible.
    for (pages, rest) in chosen.iter_mut().zip(rest).rev() {
        let count = left.div_ceil(pages.size).min(rest);
        left = left.saturating_sub(count.saturating_mul(pages.size));
        pages.count = pages.count.saturating_add(count);
    }
    // A larger page taken for the rest may make smaller ones superfluous.
    let mut spare = chosen
        .iter()
        .map(bytes)
        .fold(0, u64::saturating_add)
        .saturating_sub(needed);
    for pages in chosen.iter_mut().rev() {
        let count = spare.checked_div(pages.size).unwrap_or(0).min(pages.count);
        spare = spare.saturating_sub(count.saturating_mul(pages.size));
        pages.count = pages.count.saturating_sub(count);
    }
    let count = chosen
        .iter()
        .map(|pages| pages.count)
        .fold(0, u64::saturating_add);
    if left > 0 || count > MAX_PAGES {
        return Err(short);
    }
    let sizes = chosen.iter().flat_map(|pages| {
        let count = usize::try_from(pages.count).unwrap_or(0);
        std::iter::repeat_n(pages.size, count)
    });
    Ok(sizes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    fn free(large: u64, small: u64) -> Vec<Pages> {
        let pages = |size, count| Pages { size, count };
        vec![pages(GIB, large), pages(2 * MIB, small)]
    }

    #[test]
    fn large_pages_come_first_and_little_is_wasted() {
        assert_eq!(choose(&free(4, 0), 2 * GIB), Ok(vec![GIB; 2]));
        let mut both = vec![GIB];
        both.extend([2 * MIB; 3]);
        assert_eq!(choose(&free(4, 8), GIB + 6 * MIB), Ok(both));
        assert_eq!(choose(&free(0, 40), 64 * MIB), Ok(vec![2 * MIB; 32]));
        // No small page is left: one large one does, and none is taken beside it for nothing.
        assert_eq!(choose(&free(1, 4), 64 * MIB), Ok(vec![GIB]));
        assert_eq!(choose(&free(0, 40), 63 * MIB), Ok(vec![2 * MIB; 32]));
    }

    #[test]
    fn every_choice_covers_the_need_and_no_page_of_it_is_superfluous() {
        for (large, small) in [(0, 700), (1, 5), (2, 513), (3, 0), (1, 600)] {
            let free = free(large, small);
            for needed in (1..3 * 1024).step_by(37).map(|mib| mib * MIB) {
                let total = large * GIB + small * 2 * MIB;
                let Ok(chosen) = choose(&free, needed) else {
                    assert!(total < needed, "{large} {small} {needed}");
                    continue;
                };
                let sum: u64 = chosen.iter().sum();
                assert!(sum >= needed && sum <= total);
                assert!(chosen.iter().all(|size| sum - size < needed));
                assert!(chosen.is_sorted_by(|a, b| a >= b));
            }
        }
    }

    #[test]
    fn too_few_huge_pages_fails_closed() {
        let error = LaunchError::HugePages {
            needed: 64 * MIB,
            free: 62 * MIB,
        };
        assert_eq!(choose(&free(0, 31), 64 * MIB), Err(error));
        let none = LaunchError::HugePages {
            needed: 64 * MIB,
            free: 0,
        };
        assert_eq!(choose(&[], 64 * MIB), Err(none));
    }

    fn machine(siblings: &str, pool: &str) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        write(
            "devices/system/cpu/cpu0/topology/thread_siblings_list",
            siblings,
        );
        write("module/nitro_enclaves/parameters/ne_cpus", pool);
        write(
            "kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
            "40\n",
        );
        write("kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "8\n");
        write(
            "kernel/mm/hugepages/hugepages-1048576kB/free_hugepages",
            "1\n",
        );
        write("kernel/mm/hugepages/hugepages-64kB/free_hugepages", "100\n");
        let machine = Machine::at(folder.path());
        (folder, machine)
    }

    #[test]
    fn what_the_kernel_tells_is_read() {
        let (_folder, machine) = machine("0,4\n", "2-3,6-7\n");
        let pages = |size, count| Pages { size, count };
        assert_eq!(machine.free_pages(), [pages(GIB, 1), pages(2 * MIB, 32)]);
        assert_eq!(machine.check(&Cpus::Count(4)), Ok(()));
        assert_eq!(machine.check(&Cpus::These(vec![2, 6])), Ok(()));
        // A kernel that tells nothing refuses nothing here.
        let silent = Machine::at("/nowhere");
        assert_eq!(silent.check(&Cpus::Count(3)), Ok(()));
        assert_eq!(silent.free_pages(), []);
    }

    #[test]
    fn half_a_core_fails_closed() {
        let (_folder, machine) = machine("0-1\n", "2-5\n");
        for given in [0, 1, 3] {
            let error = LaunchError::HalfCore { given, threads: 2 };
            assert_eq!(machine.check(&Cpus::Count(given)), Err(error));
        }
    }

    #[test]
    fn more_processors_than_the_pool_has_fails_closed() {
        for (pool, count) in [("2-5\n", 4), ("\n", 0)] {
            let (_folder, machine) = machine("0\n", pool);
            let error = LaunchError::PoolTooSmall {
                given: 6,
                pool: count,
            };
            assert_eq!(machine.check(&Cpus::Count(6)), Err(error));
        }
    }
}
