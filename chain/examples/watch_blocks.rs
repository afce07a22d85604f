//! Prints finalized blocks as they come.
#![expect(clippy::print_stdout, reason = "an example speaks to its user")]

use std::time::Duration;

use iota_chain::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect("ws://127.0.0.1:9944", Duration::from_secs(10)).await?;
    let mut blocks = client.finalized_blocks(None).await?;
    loop {
        let (number, hash) = blocks.next().await?;
        let view = client.block_view(1, hash).await?;
        println!("block {number}: {} neurons", view.neurons.len());
    }
}
