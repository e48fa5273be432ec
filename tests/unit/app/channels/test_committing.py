from __future__ import annotations

import pytest

from isocenter.app.channels.committing import require_delivered
from isocenter.domain.commitment import CommitmentRequest, InstanceReference
from isocenter.domain.delivery import DeliveryPlan, cancel
from isocenter.domain.errors import Unavailable
from isocenter.ports.ledger import Selection
from tests.support.instances import CT_IMAGE_STORAGE, identify
from tests.support.memory_archive import memory_archive, store
from tests.support.small_instances import make_instance


def test_nothing_is_committed_while_some_of_it_is_on_its_way() -> None:
    one = identify(1)
    request = CommitmentRequest("1.2.3", (InstanceReference(CT_IMAGE_STORAGE, one.sop_instance_uid),), 1)
    with memory_archive() as archive:
        store(archive, make_instance(one).content)
        require_delivered(archive, request)
        (row,) = archive.index.find_stored([one]).values()
        archive.index.ledger.add([row.instance_key], DeliveryPlan("pacs"), now=0.0)
        with pytest.raises(Unavailable, match="on their way"):
            require_delivered(archive, request)
        archive.index.ledger.change(Selection(destination="pacs"), cancel)
        require_delivered(archive, request)
