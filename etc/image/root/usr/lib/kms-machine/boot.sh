# shellcheck shell=sh
# boot.sh - which root is booted. To be sourced.
#
#   booted                  a or b
#   boot_get KEY            what GRUB reads
#   boot_set KEY=VALUE ...  changes it: slot, and once for one try
booted() { sed 's/.*root=PARTLABEL=kms-root-\(.\).*/\1/' /proc/cmdline; }

esp_do() {
	mkdir -p /run/kms-machine/esp
	mount -o nosuid,nodev,noexec,umask=077,sync /dev/disk/by-partlabel/kms-esp /run/kms-machine/esp
	grub-editenv /run/kms-machine/esp/grub/grubenv "$@" || { umount /run/kms-machine/esp; return 1; }
	umount /run/kms-machine/esp
}
boot_set() { esp_do set "$@"; }
boot_get() { esp_do list | sed -n "s/^$1=//p"; }
