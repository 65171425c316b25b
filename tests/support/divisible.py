"""The command line without dropout and batch statistics, which differ in several processes.

What remains is to be the same in any number of them. A GAN is validated on few samples, as only
its steps are compared.
"""

from unittest import mock

from torch import nn

from ganexplain.cli.app import main
from ganexplain.gans import dcgan, validation
from ganexplain.report.pictures import sample_sheet
from ganexplain.stages import train_gan

mock.patch.object(nn.Dropout, "forward", lambda self, x: x).start()
dcgan.batch_deviation = lambda x: x[:, :1].detach() * 0
validation.EXCERPTS = validation.CANDIDATES = train_gan.EXCERPTS = 20
sample_sheet.GRIFFIN_LIM_ITERATIONS = 1

main()
