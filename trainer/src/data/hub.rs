//! Datasets of the Hugging Face hub: which files one has, and these files.
//!
//! Two routes are all that is used: `api/datasets/OWNER/NAME/revision/REV`, which resolves a revision to a
//! commit and lists files, and `datasets/OWNER/NAME/resolve/COMMIT/FILE`. Files come in parts of a fixed size,
//! so a download that broke off goes on where it was, and one that stalls is asked for again.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ureq::config::RedirectAuthHeaders;
use ureq::http::StatusCode;
use ureq::http::header::{AUTHORIZATION, CONTENT_RANGE, RANGE, RETRY_AFTER};

use super::manifest::MAX_SHARD_BYTES;
use crate::Error;

/// Bytes asked for at a time.
const PART: u64 = 64 << 20;
/// How often something is asked for before it counts as failed: for half a minute, or, by who cannot do
/// without it, for a quarter of an hour.
const TRIES: [u32; 2] = [6, 20];
/// Longest pause before something is asked for again, in seconds.
const LONGEST: u64 = 60;
/// Greatest list of files, in bytes.
const MAX_LIST: u64 = 64 << 20;

/// A dataset of the hub, at one of its commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// `OWNER/NAME`.
    pub name: String,
    /// Commit, branch or tag.
    pub revision: String,
}

impl std::fmt::Display for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "hf://datasets/{}@{}", self.name, self.revision)
    }
}

impl Repository {
    /// Whether both parts can stand in an address.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let is_plain = |text: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            !text.is_empty() && text.len() <= 256 && text.chars().all(allowed)
        };
        let parts: Vec<&str> = self.name.split('/').collect();
        let is_dotted = |part: &str| part.is_empty() || part.chars().all(|c| c == '.');
        let bad = parts.len() != 2 || self.revision.split('/').chain(parts).any(is_dotted);
        if bad || !is_plain(&self.name) || !is_plain(&self.revision) {
            return Err(Error::Config(format!("{self} is no dataset of the hub")));
        }
        Ok(())
    }
}

/// Where the hub is, and who asks.
#[derive(Clone)]
pub struct Hub {
    endpoint: String,
    token: Option<String>,
    tries: u32,
    agent: ureq::Agent,
}

/// The answer about a revision.
#[derive(Deserialize)]
struct Revision {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// Whether an address is of this machine.
fn is_local(endpoint: &str) -> bool {
    let address: Option<ureq::http::Uri> = endpoint.parse().ok();
    let host = address.as_ref().and_then(ureq::http::Uri::host).unwrap_or_default();
    let ip: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

impl Hub {
    /// A hub at an address, and a token for what is not public. One on this machine is asked without a
    /// proxy, and so is whoever it redirects to.
    #[must_use]
    pub fn new(endpoint: &str, token: Option<String>) -> Self {
        let proxy = ureq::Proxy::try_from_env().filter(|_| !is_local(endpoint));
        let config = ureq::Agent::config_builder()
            .proxy(proxy)
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            // What is left of a part is asked for again.
            .timeout_recv_body(Some(Duration::from_secs(15 * 60)))
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .http_status_as_error(false)
            .user_agent(concat!("iota/", env!("CARGO_PKG_VERSION")))
            .build();
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Self { endpoint, token, tries: TRIES[0], agent: config.into() }
    }

    /// Asks for a quarter of an hour before it gives up.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { tries: TRIES[1], ..self }
    }

    /// The commit that a revision is, and the files there.
    ///
    /// # Errors
    /// [`Error::Hub`] when the hub does not answer, or does not have it.
    pub(crate) fn files(&self, from: &Repository) -> Result<(Repository, Vec<String>), Error> {
        from.validate()?;
        let revision = from.revision.replace('/', "%2F");
        let path = format!("api/datasets/{}/revision/{revision}", from.name);
        let found: Revision = self.again(&path, || {
            let mut answer = self.get(&path, None)?;
            let body = answer.body_mut().with_config().limit(MAX_LIST).read_json();
            body.map_err(|error| match error {
                ureq::Error::Json(error) => Trouble::Final(error.to_string()),
                error => Trouble::Passing(error.to_string(), None),
            })
        })?;
        let commit = Repository { name: from.name.clone(), revision: found.sha };
        commit.validate()?;
        Ok((commit, found.siblings.into_iter().map(|file| file.rfilename).collect()))
    }

    /// Fetches a file, or the rest of it where a part is there; `tell` learns how far it is, and of how many.
    ///
    /// # Errors
    /// [`Error::Hub`] when the hub does not answer or does not have the file, [`Error::Write`] for what the
    /// system refuses.
    pub(crate) fn download(
        &self,
        from: &Repository,
        name: &str,
        to: &Path,
        mut tell: impl FnMut(u64, u64),
    ) -> Result<(), Error> {
        from.validate()?;
        let name = name.replace(' ', "%20");
        let path = format!("datasets/{}/resolve/{}/{name}", from.name, from.revision);
        let write = |source| Error::Write { path: to.to_owned(), source };
        fs::create_dir_all(to.parent().unwrap_or(Path::new("."))).map_err(write)?;
        let file = OpenOptions::new().create(true).append(true).open(to).map_err(write)?;
        loop {
            let have = file.metadata().map_err(write)?.len();
            let whole = self.again(&path, || self.part(&path, &file, to, &mut tell))?;
            let now = file.metadata().map_err(write)?.len();
            tell(now, whole);
            match now {
                now if now == whole => return file.sync_all().map_err(write),
                now if now > have && now < whole => {}
                _ => return Err(self.failed(&path, "gives another size than it says".into())),
            }
        }
    }

    /// Appends the next part; returns the size of all.
    fn part(
        &self,
        path: &str,
        mut file: &File,
        to: &Path,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<u64, Trouble> {
        let system = |source| Trouble::System(Error::Write { path: to.to_owned(), source });
        let have = file.seek(SeekFrom::End(0)).map_err(system)?;
        let range = format!("bytes={have}-{}", have + PART - 1);
        let answer = self.get(path, Some(&range))?;
        let whole = match answer.status() {
            // Nothing lies behind what is there: the file is empty or whole, or not what it was.
            StatusCode::RANGE_NOT_SATISFIABLE => {
                if total(&answer) == Some(have) {
                    return Ok(have);
                }
                file.set_len(0).map_err(system)?;
                return Err(Trouble::Passing("the part kept is of another file".into(), None));
            }
            StatusCode::PARTIAL_CONTENT if begins(&answer, have) => total(&answer),
            StatusCode::PARTIAL_CONTENT => {
                return Err(Trouble::Final("gives another part than was asked for".into()));
            }
            _ => {
                // All of it, whatever was asked for.
                file.set_len(0).map_err(system)?;
                answer.body().content_length()
            }
        };
        let Some(whole) = whole.filter(|whole| *whole <= MAX_SHARD_BYTES) else {
            return Err(Trouble::Final("does not say how large it is, or is too large".into()));
        };
        let mut body = answer.into_body();
        let mut reader = body.with_config().limit(MAX_SHARD_BYTES).reader();
        let mut buffer = vec![0; 1 << 20];
        let mut now = file.metadata().map_err(system)?.len();
        loop {
            let passing = |error: std::io::Error| Trouble::Passing(error.to_string(), None);
            let count = std::io::Read::read(&mut reader, &mut buffer).map_err(passing)?;
            if count == 0 {
                return Ok(whole);
            }
            std::io::Write::write_all(&mut file, &buffer[..count]).map_err(system)?;
            now += count as u64;
            if now > whole {
                file.set_len(0).map_err(system)?;
                return Err(Trouble::Passing("gives more than it says".into(), None));
            }
            tell(now, whole);
        }
    }

    fn get(&self, path: &str, range: Option<&str>) -> Result<Answer, Trouble> {
        let mut request = self.agent.get(format!("{}/{path}", self.endpoint));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        let answer = request.call().map_err(|error| match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Trouble::Final(error.to_string()),
            error => Trouble::Passing(error.to_string(), None),
        })?;
        let status = answer.status();
        if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(answer);
        }
        let text = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                format!("{status}: it is private or gated, or does not exist; set HF_TOKEN")
            }
            _ => status.to_string(),
        };
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let wait = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
            return Err(Trouble::Passing(text, wait.and_then(|wait| wait.parse().ok())));
        }
        Err(Trouble::Final(text))
    }

    /// Asks again, later and later, while the trouble may pass.
    fn again<R>(
        &self,
        path: &str,
        mut ask: impl FnMut() -> Result<R, Trouble>,
    ) -> Result<R, Error> {
        for tries in 1.. {
            match ask() {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Passing(_, wait)) if tries < self.tries => {
                    let wait = wait.unwrap_or(0).max(1 << (tries - 1)).min(LONGEST);
                    std::thread::sleep(Duration::from_secs(wait));
                }
                Err(Trouble::Passing(problem, _) | Trouble::Final(problem)) => {
                    return Err(self.failed(path, problem));
                }
                Err(Trouble::System(error)) => return Err(error),
            }
        }
        unreachable!("the last try returns")
    }

    fn failed(&self, path: &str, problem: String) -> Error {
        Error::Hub { address: format!("{}/{path}", self.endpoint), problem }
    }
}

type Answer = ureq::http::Response<ureq::Body>;

/// The size of all, as the answer to a range tells it.
fn total(answer: &Answer) -> Option<u64> {
    answer.headers().get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.parse().ok()
}

/// Whether a part begins where it should.
fn begins(answer: &Answer, have: u64) -> bool {
    let range = answer.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
}

/// What goes wrong.
enum Trouble {
    /// May be gone the next time, after as many seconds.
    Passing(String, Option<u64>),
    /// Stays.
    Final(String),
    /// This machine's own.
    System(Error),
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token is nobody's business.
        f.debug_struct("Hub").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_on_this_machine_is_asked_without_a_proxy() {
        for local in [
            "http://LocalHost:8080",
            "http://127.0.0.1:1",
            "https://[::1]/hub",
            "http://127.1.2.3/",
        ] {
            assert!(is_local(local), "{local}");
        }
        for far in
            ["https://huggingface.co", "http://localhost.example", "http://10.0.0.1", "", "nothing"]
        {
            assert!(!is_local(far), "{far}");
        }
    }
}
