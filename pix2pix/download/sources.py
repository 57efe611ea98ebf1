"""The registry: what can be downloaded, how large it is, and under which terms."""

from dataclasses import dataclass

from pix2pix.download import layouts
from pix2pix.download.layouts import Layout


@dataclass(frozen=True)
class Source:
    """An archive of photographs, tar.gz or zip, and what must be known before it is fetched."""

    url: str
    size: int  # [bytes] of the archive
    md5: str
    md5_bytes: int | None  # how many of the first bytes the checksum covers; None for all
    unpacked: int  # [bytes] on disk, at most
    pictures: str  # how many, for people
    folder: str  # the folder of the archive that holds them
    terms: str
    layout: Layout = layouts.pictures
    about: bool = (
        False  # `size` is rounded: the server says how many bytes there are, the md5 which
    )


@dataclass(frozen=True)
class Collection:
    """Photographs that come one by one, each with its own line in the manifest."""

    url: str  # of the first page of the listing
    count: int  # of all pictures, about
    size: int  # [bytes] of all pictures, about
    pictures: str
    terms: str


_IMAGENET = (
    "ImageNet's terms hold for the photos: non-commercial research and education only "
    "(https://image-net.org/download); their copyright is their owners'"
)
_COCO = (
    "the photos are from Flickr, each under its owner's Creative Commons license and "
    "Flickr's terms of use (https://cocodataset.org/#termsofuse)"
)

_PIX2PIX = (
    "no license is given for the pairs; their authors ask to be cited: Isola and others, "
    "Image-to-Image Translation with Conditional Adversarial Networks, 2017"
)

# `unpacked` is 5 % over the archive, in which JPEGs hardly get smaller, and a block of 4 KiB a
# picture; for pictures smaller than a block it is those blocks and a tenth.
SOURCES: dict[str, Source | Collection] = {
    # size: https://github.com/fastai/fastai/blob/main/fastai/data/checks.txt
    # md5: https://github.com/pytorch/vision/blob/main/torchvision/datasets/imagenette.py
    "imagenette": Source(
        url="https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",
        size=341_663_724,
        md5="3df6f0d01a2c9592104656642f5e78a3",
        md5_bytes=None,
        unpacked=420_000_000,
        pictures="13,394 photos with a short side of 320 px, of ten easy ImageNet classes",
        folder="imagenette2-320",
        terms=_IMAGENET,
    ),
    # size and md5: as fastai's above; its md5 covers the first MiB (`_check_file` in
    # fastai/data/external.py), and gzip's own CRC, compared before the folder appears, the rest
    "coco": Source(
        url="https://s3.amazonaws.com/fast-ai-coco/coco_sample.tgz",
        size=3_245_877_008,
        md5="006cd55d633d94b36ecaf661467830ec",
        md5_bytes=2**20,
        unpacked=3_500_000_000,
        pictures="about 20,000 photos of everyday scenes, about 640 x 480 px",
        folder="coco_sample/train_sample",
        terms=_COCO,
    ),
    # size: https://github.com/tensorflow/datasets (url_checksums/coco.txt)
    # md5: https://github.com/PaddlePaddle/PaddleDetection (ppdet/utils/download.py); it covers all
    # of the archive, which comes by http
    "coco2017": Source(
        url="http://images.cocodataset.org/zips/train2017.zip",
        size=19_336_861_798,
        md5="cced6f7f71b7629ddf16f17bbcfab6b2",
        md5_bytes=None,
        unpacked=20_800_000_000,
        pictures="118,287 photos of everyday scenes, about 640 x 480 px: all of COCO's train2017",
        folder="train2017",
        terms=_COCO,
    ),
    # size: of v.jpg, 80 to 460 KB each ("Technical Information" on its page)
    "photochrom": Collection(
        url="https://www.loc.gov/collections/photochrom-prints/"
        "?fo=json&c=100&at=results,pagination&sp=1",
        count=7_500,
        size=2_000_000_000,
        pictures="about 7,500 color prints of the 1890s to 1910s, views of the world with a long "
        "side of 1024 px; --limit takes fewer",
        terms="the Library of Congress knows of no restrictions on publication "
        "(https://www.loc.gov/collections/photochrom-prints/); rights can differ by picture and "
        "country, see manifest.csv",
    ),
    # md5: its authors publish none; many loaders agree on this one, among them
    # https://github.com/ContinualAI/avalanche (avalanche/benchmarks/datasets/tiny_imagenet)
    "tiny_imagenet": Source(
        url="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        size=248_100_043,
        md5="90528d7ca1a48142e341f4ef8d21d0de",
        md5_bytes=None,
        unpacked=500_000_000,
        pictures="110,000 photos of 64 x 64 px, of 200 ImageNet classes, as train and val",
        folder="tiny-imagenet-200",
        layout=layouts.tiny_imagenet,
        terms=_IMAGENET,
    ),
    # size: https://github.com/tensorflow/datasets (url_checksums/cifar10.txt)
    # md5: https://www.cs.toronto.edu/~kriz/cifar.html; of the binary version, for torchvision's
    # consists of pickles, which can run code
    "cifar10": Source(
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        size=170_052_171,
        md5="c32a1d4ab5d03f1284b67883e8d87530",
        md5_bytes=None,
        unpacked=270_000_000,
        pictures="60,000 photos of 32 x 32 px, of ten classes, as train and test",
        folder="cifar-10-batches-bin",
        layout=layouts.cifar10,
        terms="no license is given; its authors ask to be cited: Krizhevsky, Learning Multiple "
        "Layers of Features from Tiny Images, 2009 (https://www.cs.toronto.edu/~kriz/cifar.html)",
    ),
    # size: https://github.com/tensorflow/datasets (url_checksums/oxford_flowers102.txt)
    # md5: torchvision/datasets/flowers102.py
    "flowers": Source(
        url="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/102flowers.tgz",
        size=344_862_509,
        md5="52808999861908f626f3c1f4e79d11fa",
        md5_bytes=None,
        unpacked=400_000_000,
        pictures="8,189 photos of 102 kinds of flowers, with a short side of 500 px",
        folder="jpg",
        terms="no license is given: the photos are from the web, and their copyright is their "
        "owners' (https://www.robots.ox.ac.uk/~vgg/data/flowers/102/)",
    ),
    # The pairs of the pix2pix paper, A|B side by side in one picture: `data=aligned`. Their authors
    # publish no checksums: https://github.com/phillipi/pix2pix (datasets/download_dataset.sh). The
    # md5 of each, of the whole archive, is a loader's that several courses use (mlhub's Pix2Pix
    # notebooks); sizes are those that the server states.
    "facades": Source(
        url="https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/facades.tar.gz",
        size=30_168_306,
        md5="e2e25dd517e9d15828416ab329da2854",
        md5_bytes=None,
        unpacked=34_000_000,
        pictures="606 pairs of 256 x 256 px, photo|labels of facades, as train, val and test",
        folder="facades",
        terms=f"{_PIX2PIX}; the photos and labels are the CMP Facade Database's, for research "
        "(https://cmp.felk.cvut.cz/~tylecr1/facade/)",
    ),
    "maps": Source(
        url="https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/maps.tar.gz",
        size=250_242_400,
        md5="e5f65d26eb288457f5ac056deb94d154",
        md5_bytes=None,
        unpacked=271_000_000,
        pictures="2,194 pairs of 600 x 600 px, aerial photo|map, as train and val",
        folder="maps",
        terms=f"{_PIX2PIX}; the pictures were taken from Google Maps, whose terms hold "
        "(https://www.google.com/help/terms_maps/)",
    ),
    "edges2shoes": Source(
        url="https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/edges2shoes.tar.gz",
        size=2_220_000_000,
        md5="71da478b54fedde126e234a2a050bc15",
        md5_bytes=None,
        unpacked=2_550_000_000,
        pictures="50,025 pairs of 256 x 256 px, edges|photo of shoes, as train and val",
        folder="edges2shoes",
        terms=f"{_PIX2PIX}; the photos are UT Zappos50K's, for academic, non-commercial use "
        "(https://vision.cs.utexas.edu/projects/finegrained/utzap50k/)",
        about=True,
    ),
}
