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
  "detector-unknown": ['6: timing.detector: "phi" is not known; write "fixed" or "adaptive"'],
  empty: [
    "-: sites: no site; two or more are needed: add [[sites]]",
    '-: cluster: missing; add cluster = "bank"',
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
  lease: [
    "7: timing.lease_ms: 20000 is refused: only an automatic policy has a lease, and none is available yet; write 0",
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
  "policy-later": ['2: policy: "witness" is not available yet; write "operator" or "notify"'],
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
  "wrong-type": [
    '24: sites.tokyo.hosts.beacon-a.slot: expected a whole number, found the text "1"; remove the quotes',
  ],
};
