//! Whether a kernel's resolved configuration is what we asked for.
//!
//! Guarantees: every line of the fragment took effect as it stands, every option of the deny list is
//! off, nothing is a module, and the number of built-in options is within its bound. Kconfig itself
//! drops silently what depends on something missing; here that is an error.

use std::collections::BTreeMap;

use crate::error::Error;

/// Checks a resolved `.config` against the fragment and the deny list.
///
/// # Errors
/// [`Error::Configuration`] with every rule that is broken.
pub(crate) fn check(
    resolved: &str,
    fragment: &str,
    deny: &str,
    max_builtin: usize,
) -> Result<(), Error> {
    let is = settings(resolved);
    let mut faults = Vec::new();
    for (option, wanted) in &settings(fragment) {
        let found = is.get(option).copied().unwrap_or("n");
        if found != *wanted {
            faults.push(format!("{option}={wanted} was asked for, it is {found}"));
        }
    }
    for option in words(deny) {
        if let Some(found) = is.get(option).filter(|found| **found != "n") {
            faults.push(format!("{option} is denied, it is {found}"));
        }
    }
    for (option, _) in is.iter().filter(|(_, value)| **value == "m") {
        faults.push(format!("{option} is a module"));
    }
    let builtin = is.values().filter(|value| **value == "y").count();
    if builtin > max_builtin {
        faults.push(format!(
            "{builtin} options are built in, at most {max_builtin} may be"
        ));
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Error::Configuration { faults })
    }
}

/// `OPTION=VALUE` lines; `# OPTION is not set` is `n`.
fn settings(text: &str) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        let off = line
            .strip_prefix("# ")
            .and_then(|rest| rest.strip_suffix(" is not set"));
        if let Some(option) = off {
            found.insert(option, "n");
        } else if !line.starts_with('#')
            && let Some((option, value)) = line.split_once('=')
        {
            found.insert(option, value);
        }
    }
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAGMENT: &str = include_str!("../../../images/kernel/x86_64.config");
    const DENY: &str = include_str!("../../../images/kernel/x86_64.deny");

    fn faults(resolved: &str, fragment: &str, deny: &str, max: usize) -> Vec<String> {
        match check(resolved, fragment, deny, max) {
            Err(Error::Configuration { faults }) => faults,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_configuration_that_breaks_a_rule_fails_closed() {
        let resolved = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=0x1000000\nCONFIG_D=m\n";
        assert_eq!(
            check("CONFIG_A=y\n", "CONFIG_A=y\nCONFIG_E=n\n", "CONFIG_B\n", 1),
            Ok(())
        );
        assert_eq!(
            faults(
                resolved,
                "CONFIG_B=y\nCONFIG_C=0x200000\nCONFIG_X=y",
                "# why\nCONFIG_A\n",
                0
            ),
            [
                "CONFIG_B=y was asked for, it is n",
                "CONFIG_C=0x200000 was asked for, it is 0x1000000",
                "CONFIG_X=y was asked for, it is n",
                "CONFIG_A is denied, it is y",
                "CONFIG_D is a module",
                "1 options are built in, at most 0 may be",
            ]
        );
    }

    #[test]
    fn the_fragment_asks_for_what_real_hardware_and_the_threat_model_need() {
        let asked = settings(FRAGMENT);
        assert_eq!(asked.get("CONFIG_PHYSICAL_ALIGN"), Some(&"0x1000000"));
        for on in [
            "RANDOMIZE_BASE",
            "INIT_ON_ALLOC_DEFAULT_ON",
            "INIT_ON_FREE_DEFAULT_ON",
            "SECURITY_LANDLOCK",
            "SECCOMP_FILTER",
            "LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY",
            "NSM",
            "VIRTIO_VSOCKETS",
        ] {
            let option = format!("CONFIG_{on}");
            assert_eq!(asked.get(option.as_str()), Some(&"y"), "{option}");
        }
        let denied: Vec<_> = words(DENY).collect();
        for off in [
            "MODULES",
            "BLOCK",
            "PCI",
            "BPF_SYSCALL",
            "IO_URING",
            "KEXEC",
            "USER_NS",
            "NETDEVICES",
        ] {
            assert!(denied.contains(&format!("CONFIG_{off}").as_str()), "{off}");
        }
        assert!(denied.is_sorted() && denied.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
