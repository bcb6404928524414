/** What the guests of the DRBD laboratory have beside what every guest has. */
import { buildImage as build } from "../lab-guest/image.mjs";

const packages = { drbdsetup: "drbd-utils" };
const modules = ["virtio_net", "virtio_blk", "crc32c_generic", "drbd"];

const drbdConf = `global { usage-count no; }
common {
  net {
    protocol C;
    timeout 20; ping-int 3; connect-int 3; ping-timeout 10;
    after-sb-0pri disconnect; after-sb-1pri disconnect; after-sb-2pri disconnect;
  }
}
resource hba {
  device /dev/drbd0; disk /dev/vda; meta-disk internal;
  on tokyo { address 10.78.2.1:7789; }
  on osaka { address 10.78.2.2:7789; }
}
resource hbb {
  device /dev/drbd1; disk /dev/vdb; meta-disk internal;
  on tokyo { address 10.78.2.1:7790; }
  on osaka { address 10.78.2.2:7790; }
}
`;

const hosts = "127.0.0.1 localhost\n10.78.1.1 tokyo\n10.78.1.2 osaka\n";
const setup = `ip addr add 10.78.1.$i/24 dev eth0; ip link set eth0 up
ip addr add 10.78.2.$i/24 dev eth1; ip link set eth1 up`;

/** Makes the initial file system; gives its path and that of the kernel. */
export const buildImage = (folder, say) =>
  build(folder, say, {
    packages,
    modules,
    folders: ["etc/drbd.d", "var/lib/drbd"],
    files: { "etc/drbd.conf": drbdConf, "etc/hosts": hosts },
    setup,
  });
