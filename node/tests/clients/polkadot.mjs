// A subnet from its creation to its first pay, with polkadot-js.

import { createRequire } from 'node:module';

// The package lies in the folder of the clients, this file in the repository.
const require = createRequire(`${process.env.IOTA_TEST_PACKAGE}/package.json`);
const { ApiPromise, Keyring, WsProvider } = require('@polkadot/api');

const provider = new WsProvider(process.argv[2]);
const api = await ApiPromise.create({ provider, noInitWarn: true });
const keyring = new Keyring({ type: 'sr25519', ss58Format: 42 });
const key = (uri) => keyring.addFromUri(uri);
const [alice, owner, bob, val, miner] =
  ['//Alice', '//Alice//hot', '//Bob', '//Bob//val', '//Bob//miner'].map(key);

function send(tx, signer) {
  return new Promise((resolve, reject) => {
    const follow = ({ dispatchError, status, events }) => {
      if (dispatchError?.isModule) {
        reject(new Error(api.registry.findMetaError(dispatchError.asModule).name));
      } else if (dispatchError) {
        reject(new Error(dispatchError.toString()));
      } else if (status.isFinalized) {
        resolve(events.map(({ event }) => `${event.section}.${event.method}`));
      }
    };
    tx.signAndSend(signer, follow).catch(reject);
  });
}

function must(holds, what) {
  if (!holds) throw new Error(what);
}

// Shortly before an epoch the chain lets no owner change a subnet: after one there is time for it.
const passEpoch = () => provider.send('dev_warp', [{ epoch: 1 }]);

const subtensor = api.tx.subtensorModule;
const before = (await api.query.system.account(val.address)).data.free.toBigInt();
const events = await send(api.tx.balances.transferKeepAlive(val.address, 3_000_000_000n), alice);
must(events.includes('balances.Transfer'), `no transfer in ${events}`);
const after = (await api.query.system.account(val.address)).data.free.toBigInt();
must(after - before === 3_000_000_000n, 'the transfer has not arrived');

await send(subtensor.registerNetwork(owner.address), alice);
const netuid = (await api.query.subtensorModule.totalNetworks()).toNumber() - 1;
await send(subtensor.startCall(netuid), alice);
for (const hotkey of [val, miner]) {
  await send(subtensor.burnedRegister(netuid, hotkey.address), bob);
}
await send(subtensor.addStake(val.address, netuid, 20_000_000_000n), bob);
await send(subtensor.removeStake(val.address, netuid, 5_000_000_000n), bob);
await send(subtensor.serveAxon(netuid, 1, 0x01020304, 8091, 4, 0, 0, 0), val);
await passEpoch();
await send(api.tx.adminUtils.sudoSetCommitRevealWeightsEnabled(netuid, false), alice);
await send(api.tx.sudo.sudo(api.tx.adminUtils.sudoSetWeightsSetRateLimit(netuid, 0)), alice);
const hyperparameters = await api.call.subnetInfoRuntimeApi.getSubnetHyperparamsV2(netuid);
must(hyperparameters.unwrap().weightsRateLimit.toNumber() === 0, 'the rate limit stands');

// The permit comes with an epoch, the pay with the next one.
await passEpoch();
await send(subtensor.setMechanismWeights(netuid, 0, [2], [1], 0), val);
await passEpoch();
await provider.send('dev_setSealing', ['manual']);

const neurons = await api.call.neuronInfoRuntimeApi.getNeuronsLite(netuid);
must(neurons[2].incentive.toNumber() === 65535, 'the miner has all the incentive');
const metagraph = (await api.call.subnetInfoRuntimeApi.getMetagraph(netuid)).unwrap();
must(metagraph.hotkeys.length === 3, 'three neurons');
const balance = (await api.query.system.account(bob.address)).data.free;
const seen = {
  netuid,
  coldkey: bob.address,
  balance: Number(balance),
  neurons: neurons.map((neuron) => [
    keyring.encodeAddress(neuron.hotkey.toU8a()),
    keyring.encodeAddress(neuron.coldkey.toU8a()),
    neuron.stake.reduce((sum, [, amount]) => sum + Number(amount), 0),
    neuron.axonInfo.port.toNumber(),
  ]),
};
console.log(`view ${JSON.stringify(seen)}`);
await api.disconnect();
