/**
 * What each file of fixtures/config/bad is refused with: LINE (or "-"): FIELD: MESSAGE. The wording
 * may be improved; the line and the field are what a person needs to find the place.
 */
export const expectedFaults: Readonly<Record<string, readonly string[]>> = {
  "address-by-name": [
    '36: sites.osaka.hosts.ctl-b1.address: "ctl-b1.example:7789" is no IP address; names are not resolved, as DNS may be down',
  ],
  "address-families": [
    "36: sites.osaka.hosts.ctl-b1.address: IPv6, but sites.tokyo.hosts.ctl-a1.address (line 20) is IPv4; use one of the two everywhere",
  ],
  "address-twice": [
    '36: sites.osaka.hosts.ctl-b1.address: "10.0.8.11:7789" is taken by sites.tokyo.hosts.ctl-a1.address (line 20); give each host an address of its own',
  ],
  "address-without-port": [
    '36: sites.osaka.hosts.ctl-b1.address: "10.0.9.11" has no port; write "10.0.9.11:7789"',
  ],
  "bad-name": [
    '29: sites.#2.name: "Osaka_2" is no name; use a-z, 0-9 and "-", beginning with a letter',
  ],
  "booth-ticket-no-name": [
    '15: takeover.booth_ticket: "the service" is no ticket; write its name as in booth.conf, at most 63 letters',
  ],
  "booth-without-ticket": [
    '14: takeover.booth_ticket: missing; policy "booth" asks booth for a ticket: add booth_ticket = "service" to [takeover]',
  ],
  "command-without-program": [
    '14: takeover.fence_command: missing; policy "command" asks a program: add fence_command = ["/usr/local/sbin/fence"] to [takeover]',
  ],
  "control-characters": [
    '1: cluster: "b\\u001b[2J\\u00e4nk" is no name; use a-z, 0-9 and "-", beginning with a letter',
  ],
  "control-of-none": [
    '47: mirrors.a-b.pair.control: belongs to provider = "embedded"; remove this line',
  ],
  "data-device": [
    '53: mirrors.b-a.pvol: "/dev/disk/by-id/wwn-0x600508b4000a1b3a" is in data_devices (line 3); a heartbeat volume is never a data volume; name another',
  ],
  "data-device-twice": ['3: data_devices: "/dev/sdb" is listed twice; remove one'],
  "data-id-twice": [
    "79: data.orders.id: 1 is taken by data.stock.id (line 68); give each data group an id of its own",
  ],
  "data-is-heartbeat": [
    '53: mirrors.a-b.pvol: "/dev/disk/by-id/wwn-0x600508b4000a1b2a" is data.orders.pvol (line 71); a heartbeat volume is never a data volume; name another',
  ],
  "data-to-itself": [
    '70: data.orders.reader: "tokyo" is the writer too; a data group joins two sites',
  ],
  "data-too-many": [
    "132: data.orders: data group 7; a record has room for 6; put several volumes into one group of the array",
  ],
  "data-without-pair": [
    '66: data.orders.pair: missing; under policy "lease" a data group is taken over by its provider: add [data.pair], or write policy = "operator"',
  ],
  "detector-unknown": ['6: timing.detector: "phi" is not known; write "fixed" or "adaptive"'],
  empty: [
    "-: sites: no site; two or more are needed: add [[sites]]",
    '-: cluster: missing; add cluster = "bank"',
  ],
  "fence-command-relative": [
    '15: takeover.fence_command: program "fence" is not absolute; begin it with /',
  ],
  fraction: ["6: timing.interval_ms: expected a whole number, found the number 0.5"],
  "hook-as-text": [
    '9: hooks.takeover: expected an array like ["/usr/local/sbin/takeover"], found the text "/usr/local/sbin/start-service bank"',
  ],
  "hook-empty": ["9: hooks.takeover: empty; remove this line for no command"],
  "hook-relative": ['9: hooks.takeover: program "start-service" is not absolute; begin it with /'],
  "host-twice": [
    '34: sites.osaka.hosts.ctl-a1.name: "ctl-a1" is taken by sites.tokyo.hosts.ctl-a1.name (line 18); host names are unique in the cluster',
  ],
  "host-unknown": ['2: host: no host is named "ctl-c1"; hosts: ctl-a1, beacon-a, ctl-b1'],
  "id-twice": [
    "30: sites.osaka.id: 1 is taken by sites.tokyo.id (line 13); give each site an id of its own",
  ],
  "id-zero": ["30: sites.osaka.id: 0 is out of range; write 1 to 255"],
  "interval-too-short": [
    "6: timing.interval_ms: must be interval >= 20 ms; it is 5 ms; leave interval_ms out for 1000, or change it",
  ],
  "lease-all-stop": [
    "9: timing.stop_ms: must be stop < lease; 20000 ms >= 20000 ms; leave stop_ms out for 4000, or change it",
  ],
  "lease-and-hang": [
    "7: timing.lease_ms: must be lease - stop > (1+rho) ((lost_rounds+2) interval + 2 (hang + latency + poll + read_limit) + feed + scheduling), else a write that hangs stops the service for nothing; 20000 - 4000 = 16000 ms <= 34535 ms = 1.001 x (4 x 1000 + 2 x (13200 + 500 + 500 + 500) + 1000 + 100); leave lease_ms out for 39000, or change it",
  ],
  "lease-lock-too-short": [
    "12: timing.lock_ms: must be lock > (1+rho) (2 interval + hang + write_limit + scheduling), as a site has several hosts; 8000 ms <= 8109 ms = 1.001 x (2 x 1000 + 3000 + 3000 + 100); leave lock_ms out for 8110, or change it",
  ],
  "lease-mirror-off": [
    '49: mirrors: policy "lease" needs two heartbeat mirrors, one each way, and no enabled one goes from osaka to tokyo; write enabled = true, or write policy = "operator"',
  ],
  "lease-no-hooks": [
    '-: hooks.takeover: missing; under policy "lease" it starts the service after a takeover: add takeover = ["/usr/local/sbin/takeover"] to [hooks]',
    '-: hooks.superseded: missing; under policy "lease" it is the stop hook, run before the lease ends: add superseded = ["/usr/local/sbin/stop-service"] to [hooks]',
  ],
  "lease-no-stop-hook": [
    '14: hooks.superseded: missing; under policy "lease" it is the stop hook, run before the lease ends: add superseded = ["/usr/local/sbin/stop-service"] to [hooks]',
  ],
  "lease-no-watchdog": [
    '21: fencing.watchdog: missing; under policy "lease" a host that stalls must be reset, else two sites may be active: add watchdog = "/dev/watchdog0" to [fencing], or write policy = "operator"',
  ],
  "lease-no-watchdog-time": [
    "8: timing.watchdog_ms: must be watchdog > 0; it is 0 ms; leave watchdog_ms out for 10000, or change it",
  ],
  "lease-of-operator": [
    '7: timing.lease_ms: 20000 is refused: policy "operator" has no lease; write policy = "lease" or "witness", or remove this line',
  ],
  "lease-one-mirror": [
    '49: mirrors: policy "lease" needs two heartbeat mirrors, one each way, and none goes from osaka to tokyo; add [[mirrors]] with writer = "osaka" and reader = "tokyo", or write policy = "operator"',
  ],
  "lease-three-sites": [
    '24: sites: 3 sites may hold the service; policy "lease" is for two: remove one, or write policy = "operator"',
  ],
  "lease-under-operator": [
    '7: timing.lease_ms: 20000 is refused: policy "operator" has no lease; write policy = "lease" or "witness", or remove this line',
    '8: timing.watchdog_ms: 10000 is refused: policy "operator" has no lease; write policy = "lease" or "witness", or remove this line',
    '9: timing.stop_ms: 4000 is refused: policy "operator" has no lease; write policy = "lease" or "witness", or remove this line',
    '12: timing.takeover_wait_ms: 43000 is refused: policy "operator" has no lease; write policy = "lease" or "witness", or remove this line',
  ],
  "lease-wait-too-short": [
    "12: timing.takeover_wait_ms: must be takeover_wait >= (1+rho) ((lease + 2 watchdog)/(1-rho) + late_write), else two sites may be active; 42000 ms < 42083 ms = 1.001 x ((20000 + 2 x 10000)/0.999 + 2000); leave takeover_wait_ms out for 42083, or change it",
  ],
  "lease-without-stop": [
    "9: timing.stop_ms: must be stop > 0; it is 0 ms; leave stop_ms out for 4000, or change it",
  ],
  "lease-zero": [
    "7: timing.lease_ms: must be lease > 0; it is 0 ms; leave lease_ms out for 19000, or change it",
  ],
  "local-alone": [
    "19: takeover.local: true needs a site with several enabled hosts that may serve, and none has; add [[sites.hosts]], or write local = false",
  ],
  "local-without-lease": [
    '9: takeover.local: true needs a lease and a watchdog, and policy "operator" has none; write policy = "lease" or "witness", or local = false',
  ],
  "long-name": [
    '34: sites.osaka.hosts.#1.name: "controller-osaka-1" has 18 characters; at most 15 fit into a record',
  ],
  "long-socket": [
    '47: mirrors.a-b.pair.control: "/run/mirrorbeat/deep/deep/deep/deep/deep/de..." is longer than 107 bytes; use a shorter path',
  ],
  "margin-too-short": [
    "7: timing.margin_ms: must be margin >= 2 x poll; 800 ms < 2 x 500 ms; leave margin_ms out for 2000, or change it",
  ],
  "mirror-named-network": [
    '39: mirrors.network.name: "network" is the network path\'s own name; choose another',
  ],
  "mirror-to-itself": [
    '41: mirrors.a-b.reader: "tokyo" is the writer too; a mirror joins two sites',
  ],
  "mirror-twice": [
    '50: mirrors.#2.name: "a-b" is taken by mirrors.a-b.name (line 39); name each mirror differently',
  ],
  "misplaced-key": [
    "6: timing.policy: unknown key; it belongs above the first [table] of the file",
  ],
  "missing-cluster": ['-: cluster: missing; add cluster = "bank"'],
  "misspelt-key": ["6: timing.intervall_ms: unknown key; did you mean interval_ms?"],
  "misspelt-table": [
    "38: miror: unknown table; did you mean mirrors?",
    "49: mirrors: begun differently on line 45; each of several is headed [[mirrors]]",
  ],
  "no-path": ["2: network: no path: network = false and no mirror; add [[mirrors]] or write true"],
  "no-production": ['11: sites: no site has role = "production"; exactly one owns the first term'],
  "not-toml": ["14: not TOML, column 8: invalid value; correct this line"],
  "number-for-text": ['1: cluster: expected a text in quotes like "bank", found the number 7'],
  "one-site": ["11: sites: one site only; two or more are needed: add [[sites]]"],
  "only-beacons": ["28: sites.osaka: has only beacons; add [[sites.hosts]] with beacon = false"],
  "policy-misspelt": ['2: policy: "operater" is not known; did you mean "operator"?'],
  "provider-unknown": [
    '46: mirrors.a-b.pair.provider: "embeded" is not known; did you mean "embedded"?',
  ],
  "pvol-is-svol": [
    '43: mirrors.a-b.svol: "/dev/disk/by-id/wwn-0x600508b4000a1b2a" is the pvol too; name the copy, or pin both by _wwid',
  ],
  "quorum-too-high": [
    "15: sites.tokyo.quorum: 2 is more than its 1 enabled host (beacons do not count); write 1",
  ],
  "read-limit-too-long": [
    "8: timing.read_limit_ms: must be read_limit <= poll; 500 ms > 400 ms; leave read_limit_ms out for 400, or change it",
  ],
  "relative-path": ['47: mirrors.a-b.pair.control: "copy.sock" is not absolute; begin it with /'],
  "reservation-without-devices": [
    '14: takeover.reservation_devices: missing; policy "reservation" reserves volumes that both sites reach: add reservation_devices = ["/dev/disk/by-id/..."] to [takeover]',
  ],
  "set-twice": ["14: id: already set on line 13; keep one of the two"],
  "several-faults": [
    "13: sites.tokyo.id: 999 is out of range; write 1 to 255",
    "24: sites.tokyo.hosts.beacon-a.slott: unknown key; did you mean slot?",
    '31: sites.osaka.role: "stand-by" is not known; did you mean "standby"?',
    '51: mirrors.b-a.writer: no site is named "kyoto"; sites: tokyo, osaka',
  ],
  "single-brackets": [
    "28: sites: begun differently on line 11; each of several is headed [[sites]]",
  ],
  "site-twice": [
    '29: sites.#2.name: "tokyo" is taken by sites.tokyo.name (line 12); name each site differently',
  ],
  "slot-twice": [
    "24: sites.tokyo.hosts.beacon-a.slot: 0 is taken by sites.tokyo.hosts.ctl-a1.slot (line 19); give each host of a site a slot of its own",
  ],
  "takeover-misspelt": [
    "19: takeover.rpo_ms: unknown key; known in [takeover]: rpo_max_ms, local, reservation_devices, booth_ticket, booth_client, fence_command, arbiter_limit_ms",
  ],
  "too-many-mirrors": [
    "98: mirrors.a-b8: mirror 8 from tokyo to osaka; a record has room for 7; remove one",
  ],
  "two-productions": [
    '31: sites.osaka.role: "production" is sites.tokyo (line 14) already; write role = "standby"',
  ],
  "unknown-site": ['41: mirrors.a-b.reader: no site is named "osaca"; did you mean osaka?'],
  "volume-twice": [
    '54: mirrors.b-a.svol: "/dev/disk/by-id/wwn-0x600508b4000a1b2a" is taken by mirrors.a-b.pvol (line 42); name another volume of tokyo',
  ],
  "watchdog-limit-alone": [
    '18: fencing.watchdog_limit_ms: 9000 of no watchdog; add watchdog = "/dev/watchdog0"',
  ],
  "watchdog-limit-fraction": [
    "23: fencing.watchdog_limit_ms: 4500 is no whole second, and the device counts in them; write 4000",
  ],
  "watchdog-limit-too-long": [
    "23: fencing.watchdog_limit_ms: 9500 is too long: 3 (it + 1000) / 2 must be at most watchdog_ms = 10000; write at most 5000",
  ],
  "watchdog-limit-too-short": [
    "23: fencing.watchdog_limit_ms: 1000 is too short: two feedings take 2000 ms; write 2000 to 5000",
  ],
  "witness-disabled": [
    "58: sites.nagoya.hosts.wit-c1.enabled: false, but a witness always takes part; remove this line",
    "59: sites.nagoya.hosts.wit-c1.beacon: false, but a witness never holds the service; remove this line",
  ],
  "witness-twice": [
    '62: sites.kobe.role: "witness" is sites.nagoya (line 52) already; write role = "standby"',
  ],
  "witness-two-hosts": ["49: sites.nagoya: 2 hosts; a witness has exactly one [[sites.hosts]]"],
  "witness-unused": [
    '52: sites.nagoya.role: "witness" is of no use under policy "lease"; write policy = "witness", or remove this site',
  ],
  "witness-with-mirror": [
    '59: mirrors: policy "witness" needs two heartbeat mirrors, one each way, and none goes from osaka to tokyo; add [[mirrors]] with writer = "osaka" and reader = "tokyo", or write policy = "operator"',
    '71: mirrors.b-a.writer: "nagoya" is the witness, which has no volumes; name another site',
  ],
  "witness-without-address": [
    '54: sites.nagoya.hosts.wit-c1.address: missing; a witness is reached by the network: add "10.0.7.11:7789"',
  ],
  "witness-without-network": [
    "4: network: false, but a witness is reached by the network only; write true",
  ],
  "witness-without-site": [
    '-: fencing.watchdog: missing; under policy "witness" a host that stalls must be reset, else two sites may be active: add watchdog = "/dev/watchdog0" to [fencing], or write policy = "operator"',
    '2: policy: "witness" needs a third site: add [[sites]] with role = "witness" and one host, or two [[mirrors]] with witness = true, one each way, or write policy = "lease"',
    '9: hooks.superseded: missing; under policy "witness" it is the stop hook, run before the lease ends: add superseded = ["/usr/local/sbin/stop-service"] to [hooks]',
  ],
  "wrong-type": [
    '24: sites.tokyo.hosts.beacon-a.slot: expected a whole number, found the text "1"; remove the quotes',
  ],
};
