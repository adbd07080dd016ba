package usblab

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrUnavailable is the class of every reason why the lab cannot run here; the
// text names what is missing and which Debian package has it.
var ErrUnavailable = errors.New("usblab: not available here")

// A Kernel is a Linux image with its modules, ready to boot.
type Kernel struct {
	Image   string   // vmlinuz
	Modules []string // .ko files in the order in which they must be loaded
}

// wanted are the modules a guest needs; what they depend on comes with them.
func wanted() []string {
	return []string{"virtio_pci", "virtio_net", "usbcore", "usbip_core", "vhci_hcd", "cdc_acm", "usbserial"}
}

// Prepare finds the programs, and downloads and unpacks the kernel if the cache
// has none. Errors are ErrUnavailable or ctx's.
func Prepare(ctx context.Context) (Kernel, error) {
	if runtime.GOARCH != "amd64" {
		return Kernel{}, fmt.Errorf("%w: the guest is amd64, this machine %s", ErrUnavailable, runtime.GOARCH)
	}
	for program, pkg := range map[string]string{
		qemu: "qemu-system-x86", "busybox": "busybox-static", "dpkg-deb": "dpkg", "ldd": "libc-bin",
	} {
		if _, err := exec.LookPath(program); err != nil {
			return Kernel{}, fmt.Errorf("%w: no %s (apt-get install %s)", ErrUnavailable, program, pkg)
		}
	}
	dir, err := cacheDir()
	if err != nil {
		return Kernel{}, err
	}
	if k, err := find(dir); err == nil {
		return k, nil
	}
	pkg, err := imagePackage(ctx)
	if err != nil {
		return Kernel{}, err
	}
	if err := download(ctx, dir, pkg, unpacked); err != nil {
		return Kernel{}, err
	}
	return find(dir)
}

func cacheDir() (string, error) {
	var candidates []string
	if dir := os.Getenv("YUANLU_LAB_CACHE"); dir != "" {
		candidates = append(candidates, dir)
	} else {
		if dir, err := os.UserCacheDir(); err == nil {
			candidates = append(candidates, filepath.Join(dir, "yuanlu-lab"))
		}
		candidates = append(candidates, "/var/cache/yuanlu-lab")
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, unpacked, "boot")); err == nil {
			return dir, nil // one that is filled already
		}
	}
	for _, dir := range candidates {
		if err := os.MkdirAll(dir, 0o755); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%w: no cache folder can be made in %s", ErrUnavailable, strings.Join(candidates, " or "))
}

// unpacked is the folder of the cache that has the kernel's package; other packages
// have their names.
const unpacked = "x"

// Tool returns a program of a Debian package, by the paths that it may have in it: this
// machine's own, else the one of the package, downloaded and unpacked into the cache.
// In a guest it needs the shared libraries that Options.Files brings along. Errors are
// ErrUnavailable or ctx's.
func Tool(ctx context.Context, pkg string, paths ...string) (string, error) {
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	look := func(root string) string {
		for _, p := range paths {
			if info, err := os.Stat(filepath.Join(root, p)); err == nil && info.Mode().IsRegular() {
				return filepath.Join(root, p)
			}
		}
		return ""
	}
	folder := filepath.Join(dir, pkg)
	for _, root := range []string{"/", folder} {
		if found := look(root); found != "" {
			return found, nil
		}
	}
	if err := download(ctx, dir, pkg, pkg); err != nil {
		return "", err
	}
	if found := look(folder); found != "" {
		return found, nil
	}
	return "", fmt.Errorf("%w: package %s has none of %s", ErrUnavailable, pkg, strings.Join(paths, ", "))
}

// download fetches a package and unpacks it beside its final place, a folder of dir,
// so that a broken download never looks like a whole one.
func download(ctx context.Context, dir, pkg, folder string) error {
	tmp, err := os.MkdirTemp(dir, "get-")
	if err != nil {
		return fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil { // apt downloads as its own user
		return fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	if _, err := command(ctx, tmp, "apt-get", "download", pkg); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("%w: apt-get download %s left %d packages", ErrUnavailable, pkg, len(debs))
	}
	if _, err := command(ctx, tmp, "dpkg-deb", "-x", debs[0], "x"); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(tmp, "x"), filepath.Join(dir, folder)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	return nil
}

// imagePackage asks apt which image linux-image-amd64 depends on.
func imagePackage(ctx context.Context) (string, error) {
	out, err := command(ctx, "", "apt-cache", "depends", "linux-image-amd64")
	if err != nil {
		return "", err
	}
	for field := range strings.FieldsSeq(out) {
		if strings.HasPrefix(field, "linux-image-") && field != "linux-image-amd64" {
			return field, nil
		}
	}
	return "", fmt.Errorf("%w: apt knows no kernel image (apt-get update)", ErrUnavailable)
}

func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s %s: %v: %s", ErrUnavailable, name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// find looks for an unpacked image and orders its modules.
func find(dir string) (Kernel, error) {
	images, err := filepath.Glob(filepath.Join(dir, unpacked, "boot", "vmlinuz-*"))
	if err != nil || len(images) == 0 {
		return Kernel{}, fmt.Errorf("%w: no kernel in %s", ErrUnavailable, dir)
	}
	image := images[len(images)-1]
	version := strings.TrimPrefix(filepath.Base(image), "vmlinuz-")
	files := map[string]string{}
	for _, lib := range []string{"lib", "usr/lib"} {
		root := filepath.Join(dir, unpacked, lib, "modules", version)
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".ko") {
				files[moduleName(path)] = path
			}
			return nil // the other root has them
		})
	}
	k := Kernel{Image: image}
	added := map[string]bool{}
	for _, name := range wanted() {
		if err := k.add(name, files, added); err != nil {
			return Kernel{}, err
		}
	}
	return k, nil
}

// add appends a module after all it depends on. The image package has no
// modules.dep (depmod makes it at installation), but each module states itself what
// it needs.
func (k *Kernel) add(name string, files map[string]string, added map[string]bool) error {
	if added[name] {
		return nil
	}
	added[name] = true
	path, ok := files[name]
	if !ok {
		return fmt.Errorf("%w: the kernel has no module %s", ErrUnavailable, name)
	}
	needs, err := depends(path)
	if err != nil {
		return err
	}
	for _, need := range needs {
		if err := k.add(need, files, added); err != nil {
			return err
		}
	}
	k.Modules = append(k.Modules, path)
	return nil
}

func moduleName(path string) string {
	return strings.ReplaceAll(strings.TrimSuffix(filepath.Base(path), ".ko"), "-", "_")
}

// depends reads "depends=a,b" from a module's .modinfo section.
func depends(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	defer func() { _ = f.Close() }()
	section := f.Section(".modinfo")
	if section == nil {
		return nil, nil
	}
	info, err := section.Data()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %v", ErrUnavailable, path, err)
	}
	var names []string
	for entry := range bytes.SplitSeq(info, []byte{0}) {
		list, ok := strings.CutPrefix(string(entry), "depends=")
		if !ok {
			continue
		}
		for name := range strings.SplitSeq(list, ",") {
			if name != "" {
				names = append(names, strings.ReplaceAll(name, "-", "_"))
			}
		}
	}
	return names, nil
}
