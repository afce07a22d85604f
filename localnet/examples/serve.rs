//! Serves a chain until interrupted.
use iota_localnet::{Config, Sealing};
#[tokio::main]
async fn main() {
    let port: u16 = std::env::args().nth(1).and_then(|p| p.parse().ok()).unwrap_or(9944);
    let config = Config {
        block_time_ms: 250,
        sealing: Sealing::Interval(std::time::Duration::from_millis(250)),
        listen: ([127, 0, 0, 1], port).into(),
        ..Config::default()
    };
    let (_api, _handle) = iota_localnet::spawn(config).await.expect("serves");
    std::future::pending::<()>().await;
}
