//! One broker's registration with one name server: what to send next, and what is worth saying.
//!
//! A name server forgets everything when it ends, and a broker when its connection closes or falls silent. So the
//! broker registers in full whenever the link is new, when its topics changed, and at the latest after a period;
//! between, heartbeats where they are wanted. A name server that is gone is tried again for ever, and its loss and
//! its return are said once each. Time only counts forward: any clock that never goes back will do.
//! Not here: connections, bodies, how long a call may take.
//!
//! Source: RocketMQ 5.3.3 `broker/BrokerController.java` (`registerBrokerAll`, `needRegister`,
//! `scheduleSendHeartbeat`).

use super::Millis;
use super::data_version::DataVersion;

/// First pause before a lost name server is tried again; it doubles up to [`RETRY_MAX_MS`].
pub const RETRY_MS: i64 = 500;
/// Longest pause: a name server that comes back has its routes within this.
pub const RETRY_MAX_MS: i64 = 4_000;

/// How a broker registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrationRules {
    /// The longest time between two registrations.
    pub period_ms: i64,
    /// Whether a registration that is only due by time is sent without asking for the version first.
    pub forced: bool,
    /// Time between heartbeats; `None` without them.
    pub heartbeat_ms: Option<i64>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// REGISTER_BROKER with all topics, on a new connection when the old one is lost.
    Register,
    /// QUERY_DATA_VERSION.
    AskVersion,
    /// BROKER_HEARTBEAT.
    Heartbeat,
    /// Nothing before this time, unless the topics change or the connection closes.
    Wait(Millis),
}

/// What a person should read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It never answered before now.
    Registered,
    /// It was lost and is there again.
    Returned,
    /// It was there and is lost.
    Lost,
    /// It was never there.
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// Never registered; true once that was said.
    New(bool),
    Up,
    Down,
}

/// The state of one registration.
#[derive(Clone, Debug)]
pub struct Registration {
    rules: RegistrationRules,
    link: Link,
    /// What the name server holds, as far as we know.
    known: Option<DataVersion>,
    register_at: Millis,
    heartbeat_at: Millis,
    retry_ms: i64,
}

impl Registration {
    /// A registration that is due at once.
    #[must_use]
    pub fn new(rules: RegistrationRules) -> Self {
        let start = Millis(i64::MIN);
        Self {
            rules,
            link: Link::New(false),
            known: None,
            register_at: start,
            heartbeat_at: start,
            retry_ms: RETRY_MS,
        }
    }

    /// Whether the name server holds us.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link == Link::Up
    }

    /// What to do at `now`, when the topics have this version.
    #[must_use]
    pub fn next(&self, now: Millis, topics: DataVersion) -> Step {
        let is_due = self.register_at <= now;
        if !self.is_up() {
            return if is_due { Step::Register } else { Step::Wait(self.register_at) };
        }
        if self.known != Some(topics) {
            return Step::Register;
        }
        if is_due {
            return if self.rules.forced { Step::Register } else { Step::AskVersion };
        }
        match self.rules.heartbeat_ms {
            Some(_) if self.heartbeat_at <= now => Step::Heartbeat,
            Some(_) => Step::Wait(self.register_at.min(self.heartbeat_at)),
            None => Step::Wait(self.register_at),
        }
    }

    /// It took a registration with this version.
    pub fn registered(&mut self, now: Millis, topics: DataVersion) -> Option<News> {
        let news = match self.link {
            Link::New(false) => Some(News::Registered),
            Link::New(true) | Link::Down => Some(News::Returned),
            Link::Up => None,
        };
        self.link = Link::Up;
        self.known = Some(topics);
        self.retry_ms = RETRY_MS;
        self.heard(now);
        self.register_at = now.plus(self.rules.period_ms);
        news
    }

    /// It answered QUERY_DATA_VERSION: an equal version kept the broker alive, another one has to be registered.
    pub fn answered_version(&mut self, now: Millis, is_equal: bool) {
        if is_equal {
            self.heard(now);
            self.register_at = now.plus(self.rules.period_ms);
        } else {
            self.known = None;
        }
    }

    /// It took a heartbeat.
    pub fn heard(&mut self, now: Millis) {
        self.heartbeat_at = now.plus(self.rules.heartbeat_ms.unwrap_or(0));
    }

    /// A call failed, or the connection closed while nothing was asked.
    pub fn failed(&mut self, now: Millis) -> Option<News> {
        let news = match self.link {
            Link::New(false) => Some(News::Absent),
            Link::Up => Some(News::Lost),
            Link::New(true) | Link::Down => None,
        };
        // The first try after a loss comes at once: a name server that restarts quickly is back before clients ask.
        let pause = if self.is_up() { 0 } else { self.retry_ms };
        self.retry_ms = if self.is_up() { RETRY_MS } else { (self.retry_ms * 2).min(RETRY_MAX_MS) };
        self.link = if self.is_up() || self.link == Link::Down { Link::Down } else { Link::New(true) };
        self.known = None;
        self.register_at = now.plus(pause);
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: RegistrationRules =
        RegistrationRules { period_ms: 30_000, forced: true, heartbeat_ms: None };

    fn version(counter: i64) -> DataVersion {
        DataVersion { counter, ..DataVersion::default() }
    }

    fn registered(rules: RegistrationRules) -> Registration {
        let mut registration = Registration::new(rules);
        assert_eq!(registration.next(Millis(0), version(1)), Step::Register);
        assert_eq!(registration.registered(Millis(0), version(1)), Some(News::Registered));
        registration
    }

    #[test]
    fn registers_at_once_by_period_and_when_topics_change() {
        let mut registration = registered(RULES);
        assert_eq!(registration.next(Millis(1), version(1)), Step::Wait(Millis(30_000)));
        assert_eq!(registration.next(Millis(1), version(2)), Step::Register);
        assert_eq!(registration.registered(Millis(10), version(2)), None);
        assert_eq!(registration.next(Millis(11), version(2)), Step::Wait(Millis(30_010)));
        assert_eq!(registration.next(Millis(30_010), version(2)), Step::Register);
    }

    #[test]
    fn asks_for_the_version_first_unless_forced() {
        let mut registration = registered(RegistrationRules { forced: false, ..RULES });
        assert_eq!(registration.next(Millis(30_000), version(1)), Step::AskVersion);
        registration.answered_version(Millis(30_000), true);
        assert_eq!(registration.next(Millis(30_001), version(1)), Step::Wait(Millis(60_000)));
        registration.answered_version(Millis(60_000), false);
        assert_eq!(registration.next(Millis(60_000), version(1)), Step::Register);
    }

    #[test]
    fn sends_heartbeats_between_registrations() {
        let mut registration = registered(RegistrationRules { heartbeat_ms: Some(1_000), ..RULES });
        assert_eq!(registration.next(Millis(999), version(1)), Step::Wait(Millis(1_000)));
        assert_eq!(registration.next(Millis(1_000), version(1)), Step::Heartbeat);
        registration.heard(Millis(1_000));
        assert_eq!(registration.next(Millis(1_500), version(1)), Step::Wait(Millis(2_000)));
        assert_eq!(registration.next(Millis(30_000), version(1)), Step::Register);
    }

    #[test]
    fn a_loss_and_a_return_are_said_once_and_the_first_try_comes_at_once() {
        let mut registration = registered(RULES);
        assert_eq!(registration.failed(Millis(100)), Some(News::Lost));
        let mut now = 100;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            assert_eq!(registration.next(Millis(now), version(1)), Step::Register);
            assert_eq!(registration.failed(Millis(now)), None);
            let Step::Wait(Millis(until)) = registration.next(Millis(now), version(1)) else { panic!() };
            pauses.push(until - now);
            now = until;
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 4_000, 4_000]);
        assert_eq!(registration.registered(Millis(now), version(1)), Some(News::Returned));
        assert_eq!(registration.failed(Millis(now)), Some(News::Lost));
    }

    #[test]
    fn one_that_never_was_there_is_named_once_and_greeted_when_it_comes() {
        let mut registration = Registration::new(RULES);
        assert_eq!(registration.failed(Millis(0)), Some(News::Absent));
        assert_eq!(registration.failed(Millis(500)), None);
        assert_eq!(registration.registered(Millis(1_500), version(1)), Some(News::Returned));
    }
}
