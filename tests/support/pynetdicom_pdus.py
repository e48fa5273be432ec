"""What pynetdicom sends for the same values: an encoder to compare ours with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext

from isocenter.dimse.ul.pdu import AssociateAc, AssociateRq, PresentationContextAc, PresentationContextRq
from isocenter.dimse.ul.user_information import UserIdentityAc, UserIdentityRq, UserInformation


def encode_associate_rq(request: AssociateRq) -> bytes:
    """Return the A-ASSOCIATE-RQ PDU of pynetdicom."""
    primitive = _associate(request)
    primitive.presentation_context_definition_list = [_proposed(each) for each in request.presentation_contexts]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def encode_associate_ac(answer: AssociateAc) -> bytes:
    """Return the A-ASSOCIATE-AC PDU of pynetdicom."""
    primitive = _associate(answer)
    primitive.presentation_context_definition_results_list = [_answered(each) for each in answer.presentation_contexts]
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def _associate(value: AssociateRq | AssociateAc) -> Any:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = value.application_context_name
    primitive.called_ae_title = value.called_ae_title
    primitive.calling_ae_title = value.calling_ae_title
    primitive.result = 0
    primitive.user_information = list(_iter_user_information(value.user_information))
    return primitive


def _proposed(context: PresentationContextRq) -> Any:
    proposed = PresentationContext()
    proposed.context_id = context.context_id
    proposed.abstract_syntax = context.abstract_syntax_uid
    proposed.transfer_syntax = list(context.transfer_syntax_uids)
    return proposed


def _answered(context: PresentationContextAc) -> Any:
    answered = PresentationContext()
    answered.context_id = context.context_id
    answered.result = context.result
    answered.transfer_syntax = [context.transfer_syntax_uid]
    return answered


def _iter_user_information(information: UserInformation) -> Iterator[Any]:
    yield _with(MaximumLengthNotification(), maximum_length_received=information.maximum_length_received)
    yield _with(ImplementationClassUIDNotification(), implementation_class_uid=information.implementation_class_uid)
    window = information.async_operations_window
    if window is not None:
        yield _with(
            AsynchronousOperationsWindowNegotiation(),
            maximum_number_operations_invoked=window.operations_invoked_max,
            maximum_number_operations_performed=window.operations_performed_max,
        )
    for role in information.role_selections:
        yield _with(
            SCP_SCU_RoleSelectionNegotiation(),
            sop_class_uid=role.sop_class_uid,
            scu_role=role.scu_role,
            scp_role=role.scp_role,
        )
    if information.implementation_version_name is not None:
        name = information.implementation_version_name
        yield _with(ImplementationVersionNameNotification(), implementation_version_name=name)
    for extended in information.extended_negotiations:
        yield _with(
            SOPClassExtendedNegotiation(),
            sop_class_uid=extended.sop_class_uid,
            service_class_application_information=extended.application_information,
        )
    for common in information.common_extended_negotiations:
        yield _with(
            SOPClassCommonExtendedNegotiation(),
            sop_class_uid=common.sop_class_uid,
            service_class_uid=common.service_class_uid,
            related_general_sop_class_identification=list(common.related_general_sop_class_uids),
        )
    if information.user_identity is not None:
        yield _identity(information.user_identity)


def _identity(identity: UserIdentityRq | UserIdentityAc) -> Any:
    if isinstance(identity, UserIdentityAc):
        return _with(UserIdentityNegotiation(), server_response=identity.server_response)
    return _with(
        UserIdentityNegotiation(),
        user_identity_type=identity.identity_type,
        positive_response_requested=identity.positive_response_requested,
        primary_field=identity.primary_field,
        secondary_field=identity.secondary_field,
    )


def _with(item: Any, **values: object) -> Any:
    for name, value in values.items():
        setattr(item, name, value)
    return item
