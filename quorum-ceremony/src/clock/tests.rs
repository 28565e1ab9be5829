use std::sync::Mutex;

use proptest::prelude::*;

use super::*;

/// A clock that stands where it is set.
#[derive(Debug)]
pub(crate) struct Set(Mutex<(Option<u64>, Option<BootId>)>);

impl Set {
    pub(crate) fn at(seconds: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new((
            Some(seconds * 1000),
            Some(BootId([1; 16])),
        ))))
    }

    pub(crate) fn shared(self: &Arc<Self>) -> SharedClock {
        let clock: SharedClock = Arc::clone(self) as SharedClock;
        clock
    }

    /// Another that stands where this one does, as in another process.
    pub(crate) fn again(&self) -> Self {
        Self(Mutex::new(*self.0.lock().unwrap()))
    }

    pub(crate) fn pass(&self, seconds: u64) {
        let mut state = self.0.lock().unwrap();
        state.0 = state.0.map(|at| at + seconds * 1000);
    }

    pub(crate) fn set_ms(&self, at: Option<u64>) {
        self.0.lock().unwrap().0 = at;
    }

    pub(crate) fn set_boot(&self, boot: Option<BootId>) {
        self.0.lock().unwrap().1 = boot;
    }
}

impl Clock for Set {
    fn uptime(&self) -> Option<Duration> {
        self.0.lock().unwrap().0.map(Duration::from_millis)
    }

    fn boot(&self) -> Result<BootId, ClockError> {
        self.0.lock().unwrap().1.ok_or(ClockError::Unreadable)
    }
}

#[test]
fn a_boot_is_read_as_the_kernel_writes_it() {
    let id = BootId::parse("0123456789ab-cdef-0123-4567-89abcdef\n").unwrap();
    assert_eq!(id.0[..4], [0x01, 0x23, 0x45, 0x67]);
    for text in [
        "",
        "0123",
        "0123456789abcdef0123456789abcdeg",
        &"0".repeat(33),
    ] {
        assert_eq!(BootId::parse(text), None, "{text}");
    }
}

#[test]
fn this_machine_has_a_clock() {
    let clock = machine();
    let moment = Moment::now(&clock).unwrap();
    let aging = moment.since(&clock).unwrap();
    assert!(aging.age() < Duration::MAX);
    assert!(Aging::start(&clock).age() < Duration::MAX);
}

#[test]
fn a_moment_of_another_boot_or_a_clock_that_went_back_fails_closed() {
    let set = Set::at(100);
    let clock = set.shared();
    let moment = Moment::now(&clock).unwrap();
    let running = Aging::start(&clock);
    set.set_ms(Some(99_999));
    assert_eq!(moment.since(&clock), Err(ClockError::WentBack));
    assert_eq!(running.age(), Duration::MAX);
    set.set_ms(None);
    assert_eq!(moment.since(&clock), Err(ClockError::Unreadable));
    assert_eq!(Moment::now(&clock), Err(ClockError::Unreadable));
    assert_eq!(running.age(), Duration::MAX);
    assert_eq!(Aging::start(&clock).age(), Duration::MAX);
    set.set_ms(Some(200_000));
    set.set_boot(Some(BootId([2; 16])));
    assert_eq!(moment.since(&clock), Err(ClockError::OtherBoot));
    set.set_boot(None);
    assert_eq!(moment.since(&clock), Err(ClockError::Unreadable));
}

proptest! {
    /// What a moment and a later reading make of each other: never less than has passed, and at most
    /// the millisecond more that was rounded off.
    #[test]
    fn an_age_is_what_has_passed(from in 0..=u64::MAX / 4, passed in 0..=u64::MAX / 4) {
        let set = Set::at(0);
        let clock = set.shared();
        set.set_ms(Some(from));
        let moment = Moment::now(&clock).unwrap();
        set.set_ms(Some(from + passed));
        let aging = moment.since(&clock).unwrap();
        prop_assert_eq!(aging.age(), Duration::from_millis(passed));
        set.set_ms(Some(from + passed + 1));
        prop_assert!(aging.age() > Duration::from_millis(passed));
    }

    /// However the clock jumps, an age is the true one or the longest.
    #[test]
    fn an_age_is_never_less(from in any::<u64>(), now in any::<u64>()) {
        let set = Set::at(0);
        let clock = set.shared();
        set.set_ms(Some(from));
        let aging = Aging::start(&clock);
        set.set_ms(Some(now));
        let expected = now.checked_sub(from).map_or(Duration::MAX, Duration::from_millis);
        prop_assert_eq!(aging.age(), expected);
    }
}
